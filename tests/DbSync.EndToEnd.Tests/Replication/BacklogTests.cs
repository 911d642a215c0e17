using DbSync.Postgres;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>A node that is far behind reads the backlog through SQL and goes on with the walsender, without a gap and without a repetition.</summary>
[Trait("Needs", "Server")]
[Trait("Also", "Postgres18")]
public sealed class BacklogTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE t (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0, big text);
        ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
        CREATE TABLE bag (line text);
        ALTER TABLE bag REPLICA IDENTITY FULL;
        INSERT INTO t SELECT g, 0, repeat('b', 5000) FROM generate_series(1, 200) g;
        """;

    private static readonly (long, long) Small = (64 << 10, 128 << 10);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_backlog_comes_piece_by_piece_while_writers_go_on()
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancel); // others' writes would be a backlog that small pieces never get over
        await using var node = await StoppedAsync(await server.CreateDatabaseAsync(cancellationToken: Cancel));
        for (var i = 0; i < 20; i++)
        {
            await node.ExecuteAsync(
                $"""
                BEGIN;
                INSERT INTO t SELECT g, {i}, repeat(md5(g::text), 20) FROM generate_series({1000 + (i * 300)}, {1299 + (i * 300)}) g;
                SAVEPOINT s; DELETE FROM t; ROLLBACK TO s;
                UPDATE t SET n = n + 1 WHERE id % 20 = {i};
                UPDATE t SET id = -id WHERE id = {1000 + (i * 300)};
                INSERT INTO bag SELECT 'line ' || g FROM generate_series(1, 20) g;
                COMMIT;
                DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag);
                """);
        }
        await node.ExecuteAsync("BEGIN; TRUNCATE bag; INSERT INTO bag VALUES ('after'); COMMIT; ALTER TABLE t ADD COLUMN later int DEFAULT 7; UPDATE t SET later = 8 WHERE id % 3 = 0");
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(() => WriteAsync(node, stop.Token), Cancel);
        node.Run();
        await node.CatchUpAsync();
        await stop.CancelAsync();
        await writer;
        await node.CatchUpAsync();
        node.Source.BacklogPieces.ShouldBeGreaterThan(3);
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    [Fact]
    public async Task A_node_stopped_within_a_backlog_has_told_what_is_on_disk_and_goes_on_from_there()
    {
        await using var node = await StoppedAsync(await postgres.CreateDatabaseAsync(Cancel));
        for (var round = 1; round <= 3; round++)
        {
            await node.ExecuteAsync($"INSERT INTO t SELECT g, 0, repeat(md5(g::text), 20) FROM generate_series({round * 1000}, {round * 1000 + 999}) g");
            for (var i = 0; i < 30; i++) await node.ExecuteAsync($"UPDATE t SET n = n + 1 WHERE id % 30 = {i}");
            node.Run();
            await Eventually.Async(_ => Task.FromResult(node.Source.BacklogPieces), pieces => pieces > 0, TimeSpan.FromSeconds(30));
            await node.StopAsync();
            var confirmed = Lsn.Parse((string)(await node.ScalarAsync($"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{node.Slot}'"))!);
            confirmed.ShouldBeLessThanOrEqualTo(node.Position);
        }
        node.Run();
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task A_slot_whose_backlog_somebody_else_reads_is_in_use()
    {
        await using var node = await StoppedAsync(await postgres.CreateDatabaseAsync(Cancel));
        await node.ExecuteAsync("INSERT INTO t SELECT g, 0, repeat(md5(g::text), 20) FROM generate_series(1000, 3000) g");
        await using var other = new NpgsqlConnection(node.ConnectionString);
        await other.OpenAsync(Cancel);
        await using (var take = new NpgsqlCommand($"SELECT pg_advisory_lock({SlotDrain.LockClass}, hashtext('{node.Slot}'))", other)) await take.ExecuteNonQueryAsync(Cancel);
        foreach (var least in new[] { 1L, long.MaxValue }) // through SQL, and through the walsender
        {
            await using var source = new PostgresSource(
                new PrimaryOptions { ConnectionString = node.ConnectionString, Slot = node.Slot, DrainLeastBytes = least }, TimeProvider.System);
            var refused = await Should.ThrowAsync<DbSyncException>(() => source.OpenAsync(node.Position, Cancel));
            refused.Code.ShouldBe(ErrorCodes.SlotInUse);
        }
    }

    [Fact]
    public async Task Without_a_slot_to_spare_the_walsender_brings_the_backlog()
    {
        await using var server = await PostgresServer.StartAsync(
            new PostgresServerOptions { Settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["max_replication_slots"] = "1" } }, Cancel);
        await server.CreateDatabaseAsync("narrow", Cancel);
        await using var node = await StoppedAsync(server.ConnectionStringFor("narrow"));
        await node.ExecuteAsync("INSERT INTO t SELECT g, 0, repeat(md5(g::text), 20) FROM generate_series(1000, 3000) g");
        node.Run();
        await node.CatchUpAsync();
        node.Source.BacklogPieces.ShouldBe(0);
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    /// <summary>A node that has copied everything and is stopped.</summary>
    private static async Task<NodeUnderTest> StoppedAsync(string connectionString)
    {
        var node = await NodeUnderTest.CreateAsync(connectionString, Schema, "t, bag", Cancel);
        node.Backlog = Small;
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        return node;
    }

    private static async Task WriteAsync(NodeUnderTest node, CancellationToken cancellationToken)
    {
        for (var i = 0; !cancellationToken.IsCancellationRequested; i++)
        {
            await node.ExecuteAsync($"UPDATE t SET n = n + 1 WHERE id BETWEEN {i % 150} AND {(i % 150) + 3}; INSERT INTO bag VALUES ('w{i}')");
            await Load.PauseAsync();
        }
    }
}
