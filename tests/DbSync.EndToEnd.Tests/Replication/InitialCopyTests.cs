using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>The initial copy while writers go on: no row is lost, none is there twice, finished chunks are not read again.</summary>
[Trait("Needs", "Server")]
public sealed class InitialCopyTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE account (id bigint PRIMARY KEY, balance int NOT NULL, note text);
        CREATE TABLE entry (account_id bigint NOT NULL, n int NOT NULL, key uuid NOT NULL DEFAULT gen_random_uuid(), body text, PRIMARY KEY (account_id, n));
        CREATE TABLE tagged (key uuid PRIMARY KEY, body text);
        CREATE TABLE log (at timestamptz NOT NULL DEFAULT clock_timestamp(), line text);
        ALTER TABLE log REPLICA IDENTITY FULL;
        INSERT INTO account SELECT g, g, repeat('x', 100) FROM generate_series(1, 5000) g;
        INSERT INTO entry SELECT g / 5, g % 5, gen_random_uuid(), repeat('y', 60) FROM generate_series(1, 10000) g;
        INSERT INTO tagged SELECT gen_random_uuid(), repeat('z', 80) FROM generate_series(1, 5000) g;
        INSERT INTO log SELECT now(), 'line ' || (g % 50) FROM generate_series(1, 500) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Writers_that_go_on_during_the_copy_lose_nothing(int seed)
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel), Schema, "account, entry, tagged, log", Cancel);
        node.Options = new NodeOptions { Copy = new CopyOptions { ChunkBytes = 48 << 10, Parallelism = 3 } };
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 3).Select(i => Task.Run(() => WriteAsync(node.ConnectionString, seed * 10 + i, stop.Token), Cancel)).ToList();
        node.Run();
        await node.UntilAsync(s => s.ChunksRead > 8);
        await node.StopAsync(); // in the middle: what is copied stays copied
        node.Run();
        await node.UntilAsync(s => s is { Copying: false, Transactions: > 50 });
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        await node.CatchUpAsync();
        await node.StopAsync();

        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    /// <summary>Random inserts, updates, deletes, key changes, rollbacks and truncates over all tables.</summary>
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
                for (var i = random.Next(1, 6); i > 0; i--)
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
        var id = random.Next(1, 6000);
        return random.Next(13) switch
        {
            0 => $"INSERT INTO account VALUES ({id + random.Next(100000)}, 0, 'new') ON CONFLICT (id) DO UPDATE SET balance = account.balance + 1",
            1 => $"UPDATE account SET balance = balance + 1 WHERE id = {id}",
            2 => $"UPDATE account SET id = {-id} WHERE id = {id}",
            3 => $"UPDATE account SET id = {id} WHERE id = {-id}",
            4 => $"DELETE FROM account WHERE id = {id}",
            5 => $"UPDATE entry SET body = 'changed {id}', n = n + 10 WHERE account_id = {id % 2000} AND n = {id % 5}",
            6 => $"DELETE FROM entry WHERE account_id = {id % 2000}",
            7 => $"INSERT INTO entry VALUES ({id % 2000}, {random.Next(1000)}, gen_random_uuid(), 'e') ON CONFLICT DO NOTHING",
            8 => "UPDATE tagged SET key = gen_random_uuid() WHERE key = (SELECT key FROM tagged WHERE key > gen_random_uuid() ORDER BY key LIMIT 1)",
            9 => "INSERT INTO tagged VALUES (gen_random_uuid(), 't')",
            10 => $"INSERT INTO log (line) VALUES ('line {id % 50}')",
            11 => $"UPDATE log SET line = 'seen' WHERE ctid = (SELECT ctid FROM log WHERE line = 'line {id % 50}' LIMIT 1 FOR UPDATE SKIP LOCKED)",
            _ => random.Next(40) == 0 ? "TRUNCATE tagged, log" : $"DELETE FROM log WHERE ctid = (SELECT ctid FROM log WHERE line = 'line {id % 50}' LIMIT 1 FOR UPDATE SKIP LOCKED)",
        };
    }
}
