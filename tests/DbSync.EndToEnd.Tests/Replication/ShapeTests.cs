using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>Every shape of table and transaction: copied, changed while it is copied, and changed while it is followed.</summary>
[Trait("Needs", "Server")]
[Trait("Also", "Postgres18")]
public sealed class ShapeTests(PostgresFixture postgres)
{
    private const string GoesOn = "COMMIT"; // a statement that ended its transaction early has begun another

    public static TheoryData<string> Names => [.. Shape.All.Select(s => s.Name)];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Arrives_unharmed(string name)
    {
        var shape = Shape.All.Single(s => s.Name == name);
        await using var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), shape.Schema, shape.Tables, Cancel);
        node.Options = new NodeOptions { Copy = new CopyOptions { ChunkBytes = 16 << 10 } };
        if (shape.BeforeRun is { } sql) await node.ExecuteAsync(sql);
        node.Run();
        await WorkAsync(node, shape, round: 0);
        await node.CatchUpAsync();
        await WorkAsync(node, shape, round: 1);
        await node.CatchUpAsync();
        await WorkAsync(node, shape, round: 2);
        await node.StopAsync();
        node.Run();
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task A_transaction_of_300_000_rows_arrives_whole()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel), "CREATE TABLE t (id int PRIMARY KEY, v text, n numeric)", "t", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await node.ExecuteAsync("INSERT INTO t SELECT g, 'value ' || g, g / 8.0 FROM generate_series(1, 300000) g");
        await node.CatchUpAsync(TimeSpan.FromMinutes(3));
        await node.ExecuteAsync("UPDATE t SET v = 'odd' WHERE id % 2 = 1; DELETE FROM t WHERE id % 3 = 0");
        await node.CatchUpAsync(TimeSpan.FromMinutes(3));
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    [Fact]
    public async Task Four_shards_in_one_node_hold_the_same_at_the_same_position()
    {
        var shape = Shape.All[0];
        await using var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), shape.Schema, shape.Tables, Cancel, shards: 4);
        node.Options = new NodeOptions { HeartbeatInterval = TimeSpan.FromHours(1), Copy = new CopyOptions { ChunkBytes = 16 << 10 } };
        node.Run();
        await WorkAsync(node, shape, round: 0);
        await node.ExecuteAsync("SELECT pg_logical_emit_message(true, 'test', '')");
        await node.CatchUpAsync();
        await WorkAsync(node, shape, round: 1);
        await node.CatchUpAsync();
        await node.StopAsync();
        var files = Directory.GetFiles(node.DataPath, "*.db");
        files.Length.ShouldBe(4);
        files.Select(ShardPositions.Of).Distinct().Count().ShouldBe(1);
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    private static async Task WorkAsync(NodeUnderTest node, Shape shape, int round)
    {
        await using var connection = new NpgsqlConnection(node.ConnectionString);
        await connection.OpenAsync(Cancel);
        foreach (var statements in shape.Workload)
            foreach (var statement in $"BEGIN; {statements.Replace("{r}", $"{round}", StringComparison.Ordinal)}; {GoesOn}".Split("; ", StringSplitOptions.RemoveEmptyEntries))
            {
                await using var command = new NpgsqlCommand(statement, connection); // one at a time: PREPARE TRANSACTION allows no others beside it
                await command.ExecuteNonQueryAsync(Cancel);
            }
    }
}
