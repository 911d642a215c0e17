using DbSync.Sqlite;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>The initial copy by chunks of keys whose order only PostgreSQL knows, while writers insert, change, move and delete rows of every chunk.</summary>
[Trait("Needs", "Server")]
public sealed class AnyKeyCopyTests(PostgresFixture postgres)
{
    private static readonly (string Name, string Key, string Value)[] Tables =
    [
        ("linguistic", "k text COLLATE \"en-x-icu\" PRIMARY KEY", "(CASE WHEN {0} % 2 = 0 THEN upper(md5({0}::text)) ELSE md5({0}::text) END)"),
        ("insensitive", "k text COLLATE folded PRIMARY KEY", "('Ä' || md5({0}::text))"),
        ("composite", "k text COLLATE \"de-x-icu\", n int, PRIMARY KEY (k, n)", "md5(({0} / 7)::text), {0}"),
        ("money_like", "k numeric PRIMARY KEY", "({0} * 1.10)"),
        ("days", "k date PRIMARY KEY", "('2000-01-01'::date + {0})"),
        ("moments", "k timestamptz PRIMARY KEY", "('2000-01-01 00:00:00+00'::timestamptz + {0} * interval '1 minute 1 microsecond')"),
        ("raw", "k bytea PRIMARY KEY", "decode(md5({0}::text), 'hex')"),
        ("real", "k float8 PRIMARY KEY", "({0} / 3.0)"),
        ("host", "k inet PRIMARY KEY", "('10.0.0.0'::inet + {0})"),
        ("moods", "k mood, n int, PRIMARY KEY (k, n)", "(enum_range(NULL::mood))[1 + {0} % 3], {0}"),
        ("tagged", "k uuid, n text COLLATE \"en-x-icu\", PRIMARY KEY (k, n)", "md5({0}::text)::uuid, 'n' || {0}"),
    ];

    private const string Types =
        "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Writers_that_go_on_during_the_copy_lose_nothing_under_any_key(int seed)
    {
        var schema = string.Join('\n', Tables.Select(Create)) + string.Join('\n', Tables.Select(t =>
            $"INSERT INTO {t.Name} SELECT {string.Format(null, t.Value, "g")}, g, repeat('x', 100) FROM generate_series(1, 1500) g;"));
        await using var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel),
            Types + schema,
            string.Join(", ", Tables.Select(t => t.Name)), Cancel);
        node.Options = new NodeOptions { Copy = new CopyOptions { ChunkBytes = 32 << 10, Parallelism = 3, BytesPerSecondMax = 1 << 20 } };
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 2).Select(i => Task.Run(() => WriteAsync(node.ConnectionString, (seed * 10) + i, stop.Token), Cancel)).ToList();
        node.Run();
        await node.UntilAsync(s => s.ChunksRead > 25);
        await node.StopAsync(); // in the middle: what is copied stays copied
        node.Run();
        await node.UntilAsync(s => s is { Copying: false, Transactions: > 20 });
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        await node.CatchUpAsync();
        await node.StopAsync();

        await ReplicationTests.ShouldBeEqualAsync(node);
        using var shard = new SqliteDatabase(Path.Combine(node.DataPath, "s0.1.db"), "shard");
        foreach (var (name, _, _) in Tables)
            shard.QueryInteger($"SELECT chunks FROM \"dbsync.table\" WHERE name = '{name}'").ShouldBeGreaterThan(2, name);
    }

    private static string Create((string Name, string Key, string Value) table)
    {
        var columns = table.Key.EndsWith(" PRIMARY KEY", StringComparison.Ordinal)
            ? $"{table.Key}, v int, f text"
            : table.Key.Replace("PRIMARY KEY (", "v int, f text, PRIMARY KEY (", StringComparison.Ordinal);
        return $"CREATE TABLE {table.Name} ({columns});";
    }

    private static async Task WriteAsync(string connectionString, int seed, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(CancellationToken.None);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await using var transaction = await connection.BeginTransactionAsync(CancellationToken.None);
                for (var i = random.Next(1, 5); i > 0; i--)
                {
                    await using var command = new NpgsqlCommand(Statement(random), connection, transaction);
                    await command.ExecuteNonQueryAsync(CancellationToken.None);
                }
                if (random.Next(10) == 0) await transaction.RollbackAsync(CancellationToken.None);
                else await transaction.CommitAsync(CancellationToken.None);
            }
            catch (PostgresException exception) when (exception.SqlState is "23505" or "40P01")
            {
                // Two writers met: the transaction is rolled back, which is a case of its own.
            }
        }
    }

    private static string Statement(Random random)
    {
        var (name, key, value) = Tables[random.Next(Tables.Length)];
        var columns = key.Contains(" n ", StringComparison.Ordinal) ? "k, n" : "k";
        string At(int n) => string.Format(null, value, n);
        var (one, other) = (random.Next(1, 1700), random.Next(1, 3000));
        return random.Next(5) switch
        {
            0 => $"INSERT INTO {name} VALUES ({At(other)}, 0, 'new') ON CONFLICT DO NOTHING",
            1 => $"DELETE FROM {name} WHERE ({columns}) = ({At(one)})",
            2 => $"UPDATE {name} SET ({columns}) = ROW({At(other)}) WHERE ({columns}) = ({At(one)})",
            _ => $"UPDATE {name} SET v = v + 1 WHERE ({columns}) = ({At(one)})",
        };
    }
}
