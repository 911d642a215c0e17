using DbSync.Postgres;
using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Sharding;

/// <summary>
/// Buckets go from shard to shard while rows change, change their keys and are read: no answer is ever missing a row or has one twice, and at
/// each stage every shard holds exactly what the map says.
/// </summary>
[Trait("Needs", "Server")]
public sealed class MovingBucketsTests(PostgresFixture postgres)
{
    private const int Rows = 3000;

    private const string Schema =
        """
        CREATE TABLE account (id bigint PRIMARY KEY, balance int NOT NULL, note text);
        ALTER TABLE account ALTER COLUMN note SET STORAGE EXTERNAL;
        INSERT INTO account SELECT g, 0, CASE WHEN g % 10 = 0 THEN repeat(g::text, 2000) END FROM generate_series(1, 3000) g;
        CREATE TABLE event (account bigint NOT NULL, at int NOT NULL);
        ALTER TABLE event REPLICA IDENTITY FULL;
        INSERT INTO event SELECT g, g FROM generate_series(1, 3000) g;
        CREATE TABLE country (code int PRIMARY KEY)
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Buckets_move_under_writes_and_reads_and_every_stage_is_whole()
    {
        await using var node = await StartAsync();
        await using var load = new MovingLoad(node.ConnectionString, node.DataPath, Rows);
        var before = await NewestAsync(node);
        var moving = before.Begin(PlanFor(before, 3, 1, 1));
        await node.ExecuteAsync(ShardMapTable.InsertSql("main", moving));
        await UntilArrivedAsync(node, moving.Version);
        await ShouldBeWholeAsync(node, load);

        await node.ExecuteAsync(ShardMapTable.InsertSql("main", moving.Switch()));
        await node.CatchUpAsync();
        await ShouldBeWholeAsync(node, load);

        await node.ExecuteAsync(ShardMapTable.InsertSql("main", moving.Switch().Settle()));
        await UntilPurgedAsync(node, moving.Version + 2);
        await ShouldBeWholeAsync(node, load);
        load.Reads.ShouldBeGreaterThan(10);
    }

    [Fact]
    public async Task Buckets_that_moved_are_taken_back_also_after_a_restart()
    {
        await using var node = await StartAsync();
        await using var load = new MovingLoad(node.ConnectionString, node.DataPath, Rows);
        var before = await NewestAsync(node);
        var moving = before.Begin(PlanFor(before, 1, 4, 0));
        await node.ExecuteAsync(ShardMapTable.InsertSql("main", moving));
        await node.StopAsync();
        node.Run();
        await UntilArrivedAsync(node, moving.Version);
        var switched = moving.Switch();
        await node.ExecuteAsync(ShardMapTable.InsertSql("main", switched));
        await node.CatchUpAsync();
        await node.ExecuteAsync(ShardMapTable.InsertSql("main", switched.Return(before)));
        await UntilPurgedAsync(node, switched.Version + 1);
        await ShouldBeWholeAsync(node, load);
        (await NewestAsync(node)).Map.OwnedBy(new ShardId("s0")).ShouldBe(before.Map.OwnedBy(new ShardId("s0")));
    }

    [Fact]
    public async Task A_move_is_taken_back_while_it_is_under_way_and_begun_again()
    {
        await using var node = await StartAsync();
        await using var load = new MovingLoad(node.ConnectionString, node.DataPath, Rows);
        var layout = await NewestAsync(node);
        for (var round = 0; round < 3; round++)
        {
            var moving = layout.Begin(PlanFor(layout, 1, round + 2, 1));
            await node.ExecuteAsync(ShardMapTable.InsertSql("main", moving));
            await node.ExecuteAsync(ShardMapTable.InsertSql("main", layout = moving.Return(layout)));
        }
        await UntilPurgedAsync(node, layout.Version);
        await ShouldBeWholeAsync(node, load);
    }

    private async Task<NodeUnderTest> StartAsync()
    {
        var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel), Schema, "account, event, country", Cancel, shards: 3, ("account", "id"), ("event", "account"));
        node.Run();
        await node.CatchUpAsync();
        return node;
    }

    private static ShardMapPlan PlanFor(ShardLayout layout, params int[] weights) => ShardMapPlanner.Plan(
        layout.Map, new ShardTopology([.. layout.Map.Topology.Shards.Select((s, i) => s with { Weight = weights[i] })]));

    private static async Task<ShardLayout> NewestAsync(NodeUnderTest node)
    {
        await using var connection = new NpgsqlConnection(node.ConnectionString);
        await connection.OpenAsync(Cancel);
        return (await ShardMapTable.ReadNewestAsync(connection, "main", Cancel))!;
    }

    private static string[] FilesOf(NodeUnderTest node) => Directory.GetFiles(node.DataPath, "*.db");

    private static Task UntilArrivedAsync(NodeUnderTest node, long version) => UntilAsync(node, version, "SELECT count(*) FROM \"dbsync.arriving\"");

    private static Task UntilPurgedAsync(NodeUnderTest node, long version) => UntilAsync(
        node, version, "SELECT (SELECT count(*) FROM \"dbsync.arriving\") + (SELECT count(*) FROM sqlite_schema WHERE name = 'dbsync.leaving')");

    private static Task UntilAsync(NodeUnderTest node, long version, string left) => node.UntilAsync(_ => FilesOf(node).All(file =>
    {
        using var database = new SqliteDatabase(file, "shard", readOnly: true);
        return database.QueryInteger("SELECT version FROM \"dbsync.layout\"") == version && database.QueryInteger(left) == 0;
    }));

    private static async Task ShouldBeWholeAsync(NodeUnderTest node, MovingLoad load)
    {
        using (await load.PauseAsync())
        {
            await node.CatchUpAsync();
            (await ReplicaOracle.CompareAsync(node.ConnectionString, "dbsync_main", FilesOf(node))).ShouldBeEmpty();
        }
        load.Failure.ShouldBeNull();
    }
}
