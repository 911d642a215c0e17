using DbSync.EndToEnd.Tests.Replication;
using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>Values of 100 MB come by the copy and by the stream; one beyond SQLite's limit, which PostgreSQL can hold, sets its table aside.</summary>
[Trait("Needs", "Server")]
[Trait("Role", "Soak")]
public sealed class LargeValueSoakTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE large (id int PRIMARY KEY, v text, b bytea, j jsonb); CREATE TABLE huge (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY);
        INSERT INTO large VALUES (1, repeat('copied é', 12500000), decode(repeat('0aff', 10000000), 'hex'), to_jsonb(repeat('j', 100000000)));
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Values_of_100_MB_arrive()
    {
        await using var node = await RunningAsync();
        await node.ExecuteAsync("INSERT INTO large SELECT 2, reverse(v), b || '\\x01', j FROM large WHERE id = 1; UPDATE large SET id = 3 WHERE id = 1");
        await node.CatchUpAsync(TimeSpan.FromMinutes(3));
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    [Fact]
    public async Task A_value_beyond_the_limit_sets_its_table_aside()
    {
        await using var node = await RunningAsync();
        await node.ExecuteAsync("BEGIN; INSERT INTO other VALUES (1); INSERT INTO huge VALUES (1, repeat('x', 1010000000)); INSERT INTO other VALUES (2); COMMIT");
        await node.CatchUpAsync(TimeSpan.FromMinutes(3));
        using (var view = new ShardView(node.DataPath, new NodeFile.Shard("s0", "s0.1.db")))
            view.Progress().Select(t => (t.Name, t.State)).ShouldBe([("huge", TableState.Quarantined), ("large", TableState.Live), ("other", TableState.Live)]);
        ShardRows.Count(Path.Combine(node.DataPath, "s0.1.db"), "other").ShouldBe(2);
        await node.StopAsync();
    }

    private async Task<NodeUnderTest> RunningAsync()
    {
        var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), Schema, "large, huge, other", Cancel);
        node.Run();
        await node.CatchUpAsync(TimeSpan.FromMinutes(3));
        return node;
    }
}
