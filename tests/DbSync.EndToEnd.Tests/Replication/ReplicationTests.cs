using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Replication;

[Trait("Needs", "Server")]
public sealed class ReplicationTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Rows_that_were_there_and_rows_that_come_later_are_all_here()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel),
            """
            CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int NOT NULL, status text, amount numeric(12,2), at timestamptz, payload jsonb);
            INSERT INTO orders SELECT g, g % 100, 'new', g * 1.25, now(), jsonb_build_object('n', g) FROM generate_series(1, 20000) g;
            """,
            "orders",
            Cancel);
        node.Run();
        await node.ExecuteAsync("INSERT INTO orders SELECT g, 1, 'later', 1.10, now(), NULL FROM generate_series(20001, 21000) g");
        await node.ExecuteAsync("UPDATE orders SET status = 'paid', amount = NULL WHERE id % 7 = 0");
        await node.ExecuteAsync("DELETE FROM orders WHERE id % 11 = 0");
        await node.ExecuteAsync("UPDATE orders SET id = -id WHERE id % 13 = 0");
        await node.CatchUpAsync();
        await node.ExecuteAsync("UPDATE orders SET status = 'late' WHERE id % 17 = 0");
        await node.ExecuteAsync("BEGIN; DELETE FROM orders WHERE id < 100; SAVEPOINT a; DELETE FROM orders; ROLLBACK TO a; COMMIT");
        await node.CatchUpAsync();
        await node.StopAsync();

        await ShouldBeEqualAsync(node);
    }

    /// <summary>Lets the node catch up, stops it, and compares.</summary>
    internal static async Task ShouldEndEqualAsync(NodeUnderTest node)
    {
        await node.CatchUpAsync();
        await node.StopAsync();
        await ShouldBeEqualAsync(node);
    }

    internal static async Task ShouldBeEqualAsync(NodeUnderTest node)
    {
        var files = Directory.GetFiles(node.DataPath, "*.db");
        files.ShouldNotBeEmpty();
        foreach (var file in files) // without a shard map every shard holds every table
            (await ReplicaOracle.CompareAsync(node.ConnectionString, "dbsync_main", [file])).ShouldBeEmpty(Path.GetFileName(file));
    }
}
