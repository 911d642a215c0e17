using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>A value that can't be stored sets its table aside, by the copy and by the stream; everything else goes on.</summary>
[Trait("Needs", "Server")]
public sealed class QuarantineTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE sick (id int PRIMARY KEY, "Note" text, body text); CREATE TABLE well (id int PRIMARY KEY, v text);
        INSERT INTO sick SELECT g, 'n', 'small' FROM generate_series(1, 20) g; INSERT INTO well SELECT g, 'v' FROM generate_series(1, 20) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("INSERT INTO sick VALUES (100, 'n', repeat('x', 200000))")]
    [InlineData("UPDATE sick SET body = repeat('x', 200000) WHERE id = 5")]
    [InlineData("UPDATE sick SET id = 105, body = repeat('x', 200000) WHERE id = 5")]
    public async Task A_value_that_is_too_large_sets_its_table_aside_and_a_new_copy_brings_it_back(string change)
    {
        await using var node = await RunningAsync(Schema);
        await node.CatchUpAsync();
        await node.ExecuteAsync($"BEGIN; UPDATE well SET v = 'before'; UPDATE sick SET body = 'seen'; {change}; UPDATE sick SET body = 'not seen' WHERE id = 1; INSERT INTO well VALUES (100, 'after'); COMMIT");
        await node.ExecuteAsync("TRUNCATE sick; INSERT INTO sick VALUES (1, 'n', repeat('y', 300000)); DELETE FROM well WHERE id = 3");
        await node.CatchUpAsync();
        var (state, quarantine) = Sick(node);
        state.ShouldBe(TableState.Quarantined);
        quarantine!.Column.ShouldBe("body");
        quarantine.Position.ShouldBeGreaterThan(Lsn.Zero);
        quarantine.Position.ShouldBeLessThan(node.Position);
        quarantine.Reason.ShouldContain("1,000,000,000");
        ShardRows.Count(File(node), "well").ShouldBe(20);

        await node.StopAsync();
        node.Run();
        await node.ExecuteAsync("UPDATE sick SET body = 'small again'; UPDATE well SET v = 'later'");
        await node.CatchUpAsync();
        Sick(node).ShouldBe((TableState.Quarantined, quarantine), "a restart remembers it");

        await node.ExecuteAsync("ALTER PUBLICATION dbsync_main DROP TABLE sick");
        await node.ExecuteAsync("ALTER PUBLICATION dbsync_main ADD TABLE sick");
        await Eventually.Async(_ => Task.FromResult(Sick(node).State == TableState.Live), TimeSpan.FromSeconds(30), cancellationToken: Cancel);
        await node.ExecuteAsync("UPDATE sick SET body = 'well'");
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task A_value_that_is_too_large_for_the_copy_sets_its_table_aside()
    {
        await using var node = await RunningAsync(Schema + "INSERT INTO sick VALUES (100, repeat('x', 200000), 'b')", shards: 2);
        await node.CatchUpAsync();
        var (state, quarantine) = Sick(node);
        (state, quarantine!.Column).ShouldBe((TableState.Quarantined, "Note"));
        await node.ExecuteAsync("UPDATE sick SET body = 'passed over'; UPDATE well SET v = 'applied'");
        await node.CatchUpAsync();
        ShardRows.Integer(File(node), "SELECT count(*) FROM well WHERE v = 'applied'").ShouldBe(20);
        await node.StopAsync();
    }

    private static string File(NodeUnderTest node) => Path.Combine(node.DataPath, "s0.1.db");

    private static (TableState State, Quarantine? Quarantine) Sick(NodeUnderTest node)
    {
        using var view = new ShardView(node.DataPath, new NodeFile.Shard("s0", "s0.1.db"));
        return view.Progress().Where(t => t.Name == "sick").Select(t => (t.State, t.Quarantine)).SingleOrDefault();
    }

    private async Task<NodeUnderTest> RunningAsync(string schema, int shards = 1)
    {
        var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), schema, "sick, well", Cancel, shards);
        node.ValueBytesMax = 100_000;
        node.Run();
        return node;
    }
}
