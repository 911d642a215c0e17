using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>What a publication takes of its tables changes while the node runs: what was not in the log before is copied.</summary>
[Trait("Needs", "Server")]
[Trait("Also", "Postgres18")]
public sealed class ChangingPublicationTests(PostgresFixture postgres)
{
    private const string Control = "TABLE dbsync.heartbeat, TABLE dbsync.verification, TABLE dbsync.schema_log";

    private const string Schema =
        """
        CREATE TABLE a (id int PRIMARY KEY, v text, w text); INSERT INTO a SELECT g, 'v', 'w' FROM generate_series(1, 500) g;
        CREATE TABLE event (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE event_old PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
        CREATE TABLE event_new (id int NOT NULL, at date NOT NULL, v text, PRIMARY KEY (id, at));
        INSERT INTO event SELECT g, '2023-01-01', 'v' FROM generate_series(1, 100) g; INSERT INTO event_new SELECT g, '2024-02-02', 'v' FROM generate_series(1, 100) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("TABLE a WHERE (id > 250), TABLE event")]
    [InlineData("TABLE a (id, w), TABLE event")]
    public async Task Another_filter_or_list_of_columns_holds_for_all_rows(string tables)
    {
        await using var node = await RunningAsync("TABLE a WHERE (id <= 300), TABLE event");
        await node.ExecuteAsync($"ALTER PUBLICATION dbsync_main SET {tables}, {Control}; UPDATE a SET w = 'changed' WHERE id % 2 = 0; DELETE FROM a WHERE id % 50 = 0");
        await UntilEqualAsync(node);
        await node.ExecuteAsync("UPDATE a SET id = id + 1000 WHERE id % 3 = 0");
        await UntilEqualAsync(node);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task Partitions_that_travel_by_themselves_are_copied_when_attached_and_go_when_detached()
    {
        await using var node = await RunningAsync("TABLE a, TABLE event", "ALTER PUBLICATION dbsync_main SET (publish_via_partition_root = false)");
        await node.ExecuteAsync("ALTER TABLE event ATTACH PARTITION event_new FOR VALUES FROM ('2024-01-01') TO ('2030-01-01'); UPDATE event SET at = '2025-05-05' WHERE id % 3 = 0 AND at < '2024-01-01'");
        await UntilEqualAsync(node);
        ShardRows.Count(File(node), "event_new").ShouldBeGreaterThan(100);
        await node.ExecuteAsync("ALTER TABLE event DETACH PARTITION event_old; UPDATE event_old SET v = 'unseen'; INSERT INTO event VALUES (900, '2026-01-01', 'seen')");
        await UntilEqualAsync(node);
        await Eventually.Async(
            _ => Task.FromResult(ShardRows.Integer(File(node), "SELECT count(*) FROM sqlite_schema WHERE name = 'event_old'") == 0), TimeSpan.FromSeconds(30), cancellationToken: Cancel);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    /// <summary>The stream has the commit long before the catalog shows what it did.</summary>
    [Fact]
    public async Task Another_filter_that_waits_for_a_standby_holds_for_all_rows()
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancel);
        await using var node = await RunningAsync("TABLE a WHERE (id <= 300), TABLE event", database: await server.CreateDatabaseAsync(cancellationToken: Cancel));
        await StandbyAsync(server, node, "SET synchronous_standby_names = 'missing'", "missing");
        var waiting = node.ExecuteAsync($"ALTER PUBLICATION dbsync_main SET TABLE a WHERE (id > 250), TABLE event, {Control}; UPDATE a SET w = 'changed' WHERE id % 2 = 0");
        await Eventually.Async(
            async _ => (long)(await node.ScalarAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%UPDATE a %'"))! > 0, cancellationToken: Cancel);
        var committed = (string)(await node.ScalarAsync("SELECT pg_current_wal_flush_lsn()::text"))!;
        await Eventually.Async(async _ => await node.ScalarAsync($"SELECT bool_or(sent_lsn >= '{committed}') FROM pg_stat_replication") is true, cancellationToken: Cancel);
        await StandbyAsync(server, node, "RESET synchronous_standby_names", "");
        await waiting;
        await UntilEqualAsync(node);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    private static async Task StandbyAsync(PostgresServer server, NodeUnderTest node, string setting, string expected)
    {
        await server.ExecuteAsync($"ALTER SYSTEM {setting}", cancellationToken: Cancel);
        await server.ExecuteAsync("SELECT pg_reload_conf()", cancellationToken: Cancel);
        await Eventually.Async(async _ => (string)(await node.ScalarAsync("SHOW synchronous_standby_names"))! == expected, cancellationToken: Cancel);
    }

    private static string File(NodeUnderTest node) => Path.Combine(node.DataPath, "s0.1.db");

    private static Task UntilEqualAsync(NodeUnderTest node) => Eventually.Async(
        async _ =>
        {
            try
            {
                await node.CatchUpAsync();
                return await ReplicaOracle.CompareAsync(node.ConnectionString, "dbsync_main", [File(node)]);
            }
            catch (DbSyncException exception) when (exception.Code == ErrorCodes.StorageFailed)
            {
                return [exception.Message]; // a table or a column is not here yet
            }
        },
        differences => differences.Count == 0, TimeSpan.FromSeconds(30), differences => string.Join("; ", differences), Cancel);

    private async Task<NodeUnderTest> RunningAsync(string tables, string? before = null, string? database = null)
    {
        var node = await NodeUnderTest.CreateAsync(database ?? await postgres.CreateDatabaseAsync(Cancel), Schema, "a, event", Cancel);
        await node.ExecuteAsync($"ALTER PUBLICATION dbsync_main SET {tables}, {Control}; {before}");
        node.Run();
        await Eventually.Async(async _ => (bool)(await node.ScalarAsync("SELECT EXISTS (SELECT FROM dbsync.schema_log WHERE change = 'seen')"))!, cancellationToken: Cancel);
        await node.CatchUpAsync();
        return node;
    }
}
