using DbSync.Testing;
using Microsoft.Data.Sqlite;

namespace DbSync.EndToEnd.Tests.Cli;

/// <summary><c>dbsync verify --repair</c>: rows that somebody changed in the shard files are found, every one, and are the primary's again.</summary>
[Trait("Needs", "Server")]
public sealed class RepairTests(PostgresFixture postgres)
{
    private const int Rows = 20_000;

    private const string Schema =
        """
        CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, amount numeric(12, 2), at timestamptz DEFAULT now(), lines jsonb, note text);
        INSERT INTO orders SELECT i, 'customer ' || i % 50, i * 1.10, now() - i * interval '1 minute', jsonb_build_object('n', i), 'note ' || i FROM generate_series(1, 20000) AS i;
        CREATE TABLE names (first text, last text, born date, PRIMARY KEY (last, first));
        INSERT INTO names SELECT 'f' || i % 40, 'l''"\' || i / 40, '2000-01-01'::date + i FROM generate_series(1, 2000) AS i;
        CREATE TABLE log (a int, b text);
        ALTER TABLE log REPLICA IDENTITY FULL;
        INSERT INTO log SELECT i % 7, 'x' FROM generate_series(1, 500) AS i;
        """;

    private static readonly string[] Flips =
    [
        "note = note || '!'", "amount = '0.01'", "customer = 'nobody'", "lines = '{\"n\": -1}'", "note = NULL", "at = '2001-01-01 00:00:00'", "amount = NULL", "id = id + 1000000",
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData()]
    [InlineData("--shards", "3", "--shard-key", "orders=id")]
    public async Task A_thousand_rows_flipped_at_random_are_found_and_mended_while_writers_go_on(params string[] sharding)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, ["init", .. sharding]);
        await using var node = await replica.StartAsync();
        using var stop = new CancellationTokenSource();
        var random = new Random(3);
        var writer = replica.WriteAsync(() => Change(random), stop.Token);
        var damaged = Damage(replica, new Random(7));

        var found = await replica.JsonAsync(5, "verify");
        found.GetProperty("differences").GetInt64().ShouldBe(damaged);
        var mended = await replica.JsonAsync(0, "verify", "--repair");
        mended.GetProperty("differences").GetInt64().ShouldBe(damaged);
        mended.GetProperty("repaired").GetInt64().ShouldBe(damaged);
        mended.GetProperty("copiedAgain").GetArrayLength().ShouldBe(0, "rows are read by their keys");
        (await replica.JsonAsync(0, "verify", "--max-load", "50")).GetProperty("equal").GetBoolean().ShouldBeTrue();
        var proof = (await replica.JsonAsync(0, "status")).GetProperty("proof");
        (proof.GetProperty("tables").GetInt32(), proof.GetProperty("tablesAll").GetInt32()).ShouldBe((3, 3));

        await stop.CancelAsync();
        (await writer).ShouldBeGreaterThan(50);
        await replica.CatchUpAsync(node);
        node.Terminate();
        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(0, node.StandardError);
        (await replica.CompareAsync()).ShouldBeEmpty();
        (await replica.JsonAsync(0, "status")).GetProperty("tables").EnumerateArray().Single(t => t.GetProperty("name").GetString() == "orders").GetProperty("rows").GetInt64()
            .ShouldBe(await replica.ScalarAsync<long>("SELECT count(*) FROM orders"), "the rows that somebody added or took away are counted right again");
    }

    [Fact]
    public async Task Keys_are_named_and_values_only_when_asked_and_a_table_without_a_key_is_copied_again()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync())
        {
            node.Terminate();
            await node.WaitForExitAsync(cancellationToken: Cancel);
        }
        Execute(replica.ShardFile, "UPDATE names SET born = '1900-01-01' WHERE last = 'l''\"\\7' AND first = 'f3'", "DELETE FROM log WHERE rowid = 5", "UPDATE orders SET note = 'secret' WHERE id = 3");

        var found = await replica.RunAsync("verify", "--json");
        found.StandardOutput.ShouldContain("l'\\\"\\\\7, f3");
        (found.StandardOutput + found.StandardError).ShouldNotContain("1900");
        (await replica.RunAsync("verify", "--values")).StandardOutput.ShouldContain("note=secret");

        var mended = await replica.JsonAsync(0, "verify", "--repair"); // no node runs: one runs here meanwhile
        mended.GetProperty("repaired").GetInt64().ShouldBe(3);
        mended.GetProperty("copiedAgain").EnumerateArray().Select(t => t.GetString()).ShouldBe(["log"]);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    /// <summary>Changes 1,000 rows that nobody writes to, deletes 20 and adds 20; returns how many rows differ now.</summary>
    private static int Damage(CliReplica replica, Random random)
    {
        var differences = 0;
        var ids = Enumerable.Range(Rows / 2, Rows / 2).OrderBy(_ => random.Next()).Take(1020).ToList();
        foreach (var file in NodeFile.Load(replica.Data).Shards.Select(s => Path.Combine(replica.Data, s.File)))
        {
            using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
            connection.Open();
            using var transaction = connection.BeginTransaction(deferred: false);
            for (var i = 0; i < ids.Count; i++)
            {
                var flip = Flips[random.Next(Flips.Length)];
                var sql = i < 20 ? $"DELETE FROM orders WHERE id = {ids[i]}" : $"UPDATE orders SET {flip} WHERE id = {ids[i]}";
                using var command = new SqliteCommand(sql, connection, transaction);
                if (command.ExecuteNonQuery() == 1) differences += i >= 20 && flip.StartsWith("id", StringComparison.Ordinal) ? 2 : 1; // a changed key is a row too few and one too many
            }
            using var more = new SqliteCommand(
                $"INSERT INTO orders SELECT id + 5000000, customer, amount, at, lines, note FROM orders WHERE id BETWEEN {Rows / 2} AND {Rows} LIMIT 20", connection, transaction);
            differences += more.ExecuteNonQuery();
            transaction.Commit();
        }
        return differences;
    }

    private static void Execute(string file, params string[] statements)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        foreach (var sql in statements)
        {
            using var command = new SqliteCommand(sql, connection);
            command.ExecuteNonQuery().ShouldBe(1, sql);
        }
    }

    private static string Change(Random random)
    {
        var id = random.Next(1, Rows / 2 - 10);
        return random.Next(3) switch
        {
            0 => $"DELETE FROM orders WHERE id = {id}; INSERT INTO log VALUES ({id % 7}, 'y')",
            1 => $"INSERT INTO orders VALUES ({id}, 'new', {id}, now(), '[]', 'w') ON CONFLICT (id) DO UPDATE SET amount = orders.amount + 0.01",
            _ => $"UPDATE orders SET note = 'written {id}' WHERE id BETWEEN {id} AND {id + 5}; UPDATE names SET born = born + 1 WHERE first = 'f{id % 40}'",
        };
    }
}
