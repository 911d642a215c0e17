using DbSync.EndToEnd.Tests.Cli;
using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>Two processes on one slot: the second is refused, and one that lost its slot while it was paused rechecks before it goes on.</summary>
[Trait("Needs", "Server")]
public sealed class TwoProcessesTests(PostgresFixture postgres)
{
    private const string Schema = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 2000) g";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_second_run_on_the_slot_with_another_directory_is_refused(bool whenTheFirstHasMovedOn)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await StopAsync(await replica.StartAsync());
        var copy = replica.CopyData("copy");
        await using var first = await replica.StartAsync();
        if (whenTheFirstHasMovedOn)
        {
            var before = await ConfirmedAsync(replica);
            await replica.ExecuteAsync("UPDATE t SET v = 'moved'");
            await Eventually.Async(async _ => await ConfirmedAsync(replica) > before, cancellationToken: Cancel);
        }

        await using var second = replica.Start("run", copy);

        (await second.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(1);
        second.StandardError.ShouldContain(ErrorCodes.SlotInUse);
        var status = (await replica.RunAsync("status", "--data", copy)).StandardOutput;
        status.ShouldContain("failed");
        status.ShouldContain(ErrorCodes.SlotInUse);
        (await replica.JsonAsync(0, "verify")).GetProperty("differences").GetInt64().ShouldBe(0);
        await StopAsync(first);
    }

    [Fact]
    public async Task A_process_that_was_paused_goes_on_when_nobody_took_its_slot()
    {
        await using var server = await ImpatientAsync();
        await using var replica = await CliReplica.CreateAsync(server, Schema);
        await using var node = await StartAndPauseAsync(replica);
        await replica.ExecuteAsync("UPDATE t SET v = 'paused' WHERE id % 3 = 0; DELETE FROM t WHERE id % 5 = 0");
        node.Resume();
        await Eventually.Async(async _ => (await replica.JsonAsync(0, "status")).GetProperty("state").GetString() == "streaming", cancellationToken: Cancel);
        (await replica.JsonAsync(0, "verify")).GetProperty("differences").GetInt64().ShouldBe(0);
        await StopAsync(node);
    }

    /// <summary>What somebody else consumed can't be had any more: the shards stay where they are, and nothing is acknowledged.</summary>
    [Fact]
    public async Task A_process_that_was_paused_while_the_slot_was_moved_stops_at_the_gap()
    {
        await using var server = await ImpatientAsync();
        await using var replica = await CliReplica.CreateAsync(server, Schema);
        await using var node = await StartAndPauseAsync(replica);
        var before = Position(replica.ShardFile);
        await replica.ExecuteAsync("UPDATE t SET v = 'lost'");
        await replica.ExecuteAsync(
            "SELECT count(*) FROM pg_replication_slots AS s, pg_logical_slot_get_binary_changes(s.slot_name, NULL, NULL, 'proto_version', '1', 'publication_names', 'dbsync_main')");
        var confirmed = await ConfirmedAsync(replica);

        node.Resume();

        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(1, node.StandardError);
        node.StandardError.ShouldContain(ErrorCodes.SlotAhead);
        var status = await replica.JsonAsync(0, "status");
        status.GetProperty("state").GetString().ShouldBe("failed");
        status.GetProperty("errorCode").GetString().ShouldBe(ErrorCodes.SlotAhead);
        Position(replica.ShardFile).ShouldBeInRange(before, confirmed);
        Lost(replica.ShardFile).ShouldBe(0);
        (await ConfirmedAsync(replica)).ShouldBe(confirmed);
    }

    /// <summary>The other follows the slot when this one wakes: this one waits, and finds the gap when the other has gone.</summary>
    [Fact]
    public async Task A_process_that_was_paused_while_another_followed_the_slot_waits_and_then_stops_at_the_gap()
    {
        await using var server = await ImpatientAsync();
        await using var replica = await CliReplica.CreateAsync(server, Schema);
        await using var node = await StartAndPauseAsync(replica);
        var copy = replica.CopyData("copy");
        await using var other = await replica.StartAsync(copy);
        await replica.ExecuteAsync("UPDATE t SET v = 'lost'");
        await Eventually.Async(() => Lost(Path.Combine(copy, "main.1.db")) == 2000, cancellationToken: Cancel);

        node.Resume();
        await node.WaitForLineAsync(l => l.Contains(ErrorCodes.SlotInUse, StringComparison.Ordinal), cancellationToken: Cancel);
        await StopAsync(other);

        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(1, node.StandardError);
        node.StandardError.ShouldContain(ErrorCodes.SlotAhead);
        Lost(replica.ShardFile).ShouldBe(0);
        (await ConfirmedAsync(replica)).ShouldBe(Position(Path.Combine(copy, "main.1.db")));
        await StopAsync(await replica.StartAsync(copy)); // the other's data is whole, and its slot where it left it
    }

    private static Task<PostgresServer> ImpatientAsync() =>
        PostgresServer.StartAsync(new PostgresServerOptions { WalSenderTimeout = TimeSpan.FromSeconds(1) }, Cancel);

    /// <summary>Starts a node, lets it follow, stops it with SIGSTOP, and waits until the server has given its walsender up.</summary>
    private static async Task<TestProcess> StartAndPauseAsync(CliReplica replica)
    {
        await replica.JsonAsync(0, "init");
        var node = replica.Start(["run", "--on-slot-loss", "stop"]); // else it would copy everything again
        await node.WaitForLineAsync(l => l == "streaming", TimeSpan.FromSeconds(90), cancellationToken: Cancel);
        await replica.ExecuteAsync("INSERT INTO t VALUES (0, 'followed')");
        await Eventually.Async(async _ => (await replica.JsonAsync(0, "sql", "SELECT count(*) FROM t")).GetProperty("rows")[0][0].GetInt64() == 2001, cancellationToken: Cancel);
        await replica.ExecuteAsync("DELETE FROM t WHERE id = 0");
        node.Pause();
        await Eventually.Async(
            async _ => !await replica.ScalarAsync<bool>("SELECT active FROM pg_replication_slots WHERE database = current_database()"), cancellationToken: Cancel);
        return node;
    }

    private static async Task StopAsync(TestProcess node)
    {
        await using (node)
        {
            node.Terminate();
            (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(0, node.StandardError);
        }
    }

    private static async Task<Lsn> ConfirmedAsync(CliReplica replica) => Lsn.Parse(
        await replica.ScalarAsync<string>("SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()"));

    private static Lsn Position(string shardFile)
    {
        using var database = new SqliteDatabase(shardFile, "shard", readOnly: true);
        return new Lsn((ulong)database.QueryInteger("SELECT applied_lsn FROM \"dbsync.shard\""));
    }

    private static long Lost(string shardFile)
    {
        using var database = new SqliteDatabase(shardFile, "shard", readOnly: true);
        return database.QueryInteger("SELECT count(*) FROM t WHERE v = 'lost'");
    }
}
