using DbSync.EndToEnd.Tests.Cli;
using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.Data.Sqlite;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>
/// A replica whose slot is gone, in every way that a slot goes: everything is copied again beside the old file, which is served meanwhile,
/// and the two are swapped. Readers see one or the other, whole.
/// </summary>
[Trait("Needs", "Server")]
public sealed class LostSlotTests(PostgresFixture postgres)
{
    private const string Slot = "(SELECT slot_name FROM pg_replication_slots WHERE database = current_database())";
    private const int Rows = 3000;

    /// <summary>The failpoints on the way.</summary>
    public static readonly string[] Points = [Failpoint.AfterSlotGivenUp, Failpoint.AfterSlotMade, Failpoint.BeforeSwap, Failpoint.AfterSwap];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Losses => ["dropped", "made again", "kept too much", "kept more than allowed"];

    [Theory]
    [MemberData(nameof(Losses))]
    public async Task What_was_lost_while_the_node_slept_is_copied_beside_the_old_file_and_swapped(string loss)
    {
        // What is kept is measured on a server that nobody else writes to.
        await using var own = loss.StartsWith("kept", StringComparison.Ordinal)
            ? await PostgresServer.StartAsync(new PostgresServerOptions { MaxSlotWalKeepSizeMb = loss == "kept too much" ? 1 : null }, Cancel)
            : null;
        await using var replica = await CliReplica.CreateAsync(own ?? await postgres.GetServerAsync(Cancel), PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync()) await StopAsync(node);
        using var old = Replica.OpenRead(replica.Data); // an application that keeps its connection
        CountOf(old).ShouldBe(Rows);

        await replica.ExecuteAsync("UPDATE left_side SET v = v + 1; UPDATE right_side SET v = v + 1");
        if (loss == "dropped") await replica.ExecuteAsync($"SELECT pg_drop_replication_slot({Slot})");
        if (loss == "made again") await replica.ExecuteAsync($"SELECT pg_create_logical_replication_slot(name, 'pgoutput') FROM (SELECT slot_name AS name, pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database() OFFSET 0) AS dropped");
        if (loss == "kept too much") await LoseAsync(replica);
        if (loss == "kept more than allowed") await replica.ExecuteAsync("CREATE TABLE waste AS SELECT repeat(md5(g::text), 30) FROM generate_series(1, 4000) g; DROP TABLE waste");

        await using var reader = new PairReader(replica.Data, Rows);
        reader.Start();
        await using var healed = replica.Start(loss == "kept more than allowed" ? ["run", "--max-retained-wal", "1MB"] : ["run"]);
        using var swapped = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var writing = replica.WriteAsync("SELECT pg_logical_emit_message(false, 'test', 'busy')", swapped.Token);
        await Eventually.Async(() => NodeFile.Load(replica.Data).Shards[0].File == "main.2.db", TimeSpan.FromSeconds(60), () => healed.StandardError, Cancel);
        await swapped.CancelAsync();
        await writing;
        for (var i = 0; i < 20; i++) await replica.ExecuteAsync(PairReader.Change);
        await replica.CatchUpAsync(healed);
        await reader.StopAsync();
        reader.Reads.ShouldBeGreaterThan(0);

        CountOf(old).ShouldBe(Rows, "a connection that was open reads on");
        File.Exists(replica.ShardFile).ShouldBeTrue();
        old.Dispose();
        SqliteConnection.ClearAllPools();
        await Eventually.Async(() => !File.Exists(replica.ShardFile) && !File.Exists(replica.ShardFile + "-wal"), cancellationToken: Cancel);
        var status = await replica.JsonAsync(0, "status");
        status.GetProperty("state").GetString().ShouldBe("streaming");
        status.GetProperty("slot").GetProperty("walStatus").GetString().ShouldBe("reserved");
        await StopAsync(healed);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_slot_that_is_dropped_under_a_running_node_is_made_again()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        await using var reader = new PairReader(replica.Data, Rows);
        reader.Start();
        await DropUnderAsync(replica);
        await Eventually.Async(
            async _ => (await replica.RunAsync("status", "--json")).StandardOutput, s => s.Contains("\"stale\"", StringComparison.Ordinal) && s.Contains("slotMissing", StringComparison.Ordinal)
                || NodeFile.Load(replica.Data).Shards[0].File == "main.2.db", cancellationToken: Cancel);
        for (var i = 0; i < 20; i++) await replica.ExecuteAsync(PairReader.Change);
        await Eventually.Async(() => NodeFile.Load(replica.Data).Shards[0].File == "main.2.db", TimeSpan.FromSeconds(60), () => node.StandardError, Cancel);
        await replica.CatchUpAsync(node);
        await reader.StopAsync();
        await StopAsync(node);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    public static TheoryData<string> AllPoints => [.. Points];

    [Theory]
    [MemberData(nameof(AllPoints))]
    public async Task A_kill_on_the_way_leaves_a_whole_replica_and_the_next_life_goes_on(string point)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync()) await StopAsync(node);
        await replica.ExecuteAsync($"SELECT pg_drop_replication_slot({Slot})");
        await replica.ExecuteAsync(PairReader.Change);
        await using var reader = new PairReader(replica.Data, Rows);
        reader.Start();
        await using (var victim = replica.Start(["run"], point)) (await victim.WaitForExitAsync(TimeSpan.FromSeconds(60), Cancel)).ShouldBe(137);
        var readsBefore = reader.Reads;
        await Eventually.Async(() => reader.Reads > readsBefore + 3, cancellationToken: Cancel);

        await using var next = replica.Start("run");
        await replica.CatchUpAsync(next);
        await reader.StopAsync();
        NodeFile.Load(replica.Data).Shards[0].File.ShouldBe("main.2.db");
        ReplicaTries(replica).ShouldBe(1, "a kill is no new try");
        await StopAsync(next);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_slot_that_is_lost_again_and_again_is_given_up_and_a_person_asked()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        for (var i = 2; i <= 4; i++)
        {
            await DropUnderAsync(replica);
            await Eventually.Async(() => NodeFile.Load(replica.Data) is { StaleSince: null } now && now.Shards[0].File == $"main.{i}.db", TimeSpan.FromSeconds(60), () => node.StandardError, Cancel);
            await replica.CatchUpAsync(node);
        }
        await DropUnderAsync(replica);
        (await node.WaitForExitAsync(TimeSpan.FromSeconds(60), Cancel)).ShouldBe(1);
        node.StandardError.ShouldContain(ErrorCodes.ReseedGivenUp);
        (await replica.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()")).ShouldBe(0);
        (await replica.RunAsync("run")).StandardError.ShouldContain(ErrorCodes.ReseedGivenUp, customMessage: "no restart begins anew");
        using var served = Replica.OpenRead(replica.Data);
        CountOf(served).ShouldBe(Rows);
    }

    [Fact]
    public async Task Who_wants_to_decide_is_told_and_nothing_is_copied()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync()) await StopAsync(node);
        await replica.ExecuteAsync($"SELECT pg_drop_replication_slot({Slot})");
        var run = await replica.RunAsync("run", "--on-slot-loss", "stop");
        run.ExitCode.ShouldBe(1);
        run.StandardError.ShouldContain(ErrorCodes.SlotMissing);
        Directory.GetFiles(replica.Data, "*.db").ShouldBe([replica.ShardFile]);
    }

    /// <summary>On another timeline, which left the old one after everything that is here, the log goes on; a log that ends before it can't.</summary>
    [Fact]
    public async Task A_primary_that_was_promoted_is_followed_and_one_that_was_restored_to_an_older_state_is_copied_again()
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancel);
        await using var replica = await CliReplica.CreateAsync(server, PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        var data = await replica.ScalarAsync<string>("SHOW data_directory");
        await server.StopAsync(cancellationToken: Cancel);
        await ShellAsync($"echo \"restore_command = 'false'\" >> '{data}/postgresql.auto.conf' && cp -a '{data}/PG_VERSION' '{data}/recovery.signal'");
        await server.StartAgainAsync(Cancel); // recovers, finds nothing more, and begins a timeline of its own
        await Eventually.Async(async _ => !await replica.ScalarAsync<bool>("SELECT pg_is_in_recovery()"), cancellationToken: Cancel);
        await replica.ExecuteAsync(PairReader.Change);
        await replica.CatchUpAsync(node);
        (NodeFile.Load(replica.Data).Timeline, NodeFile.Load(replica.Data).Shards[0].File).ShouldBe((2u, "main.1.db"));

        await server.StopAsync(cancellationToken: Cancel);
        await ShellAsync($"cp -a '{data}' '{data}.backup'");
        await server.StartAgainAsync(Cancel);
        await replica.ExecuteAsync("UPDATE left_side SET v = v + 1; UPDATE right_side SET v = v + 1; CREATE TABLE waste AS SELECT repeat(md5(g::text), 30) FROM generate_series(1, 20000) g");
        await replica.CatchUpAsync(node);
        await server.StopAsync(ShutdownMode.Immediate, Cancel);
        await ShellAsync($"rm -r '{data}' && mv '{data}.backup' '{data}'");
        await server.StartAgainAsync(Cancel);

        await Eventually.Async(() => NodeFile.Load(replica.Data).Shards[0].File == "main.2.db", TimeSpan.FromSeconds(60), () => node.StandardError, Cancel);
        await replica.ExecuteAsync(PairReader.Change);
        await replica.CatchUpAsync(node);
        await StopAsync(node);
        node.StandardError.ShouldContain(ErrorCodes.PrimaryWentBack);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("truncated")]
    [InlineData("garbage")]
    [InlineData("deleted")]
    [InlineData("another's")]
    public async Task A_file_that_is_damaged_is_copied_again_and_never_served(string damage)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync()) await StopAsync(node);
        if (damage == "truncated") File.WriteAllBytes(replica.ShardFile, File.ReadAllBytes(replica.ShardFile)[..20000]);
        if (damage == "garbage") File.WriteAllText(replica.ShardFile, new string('z', 100_000));
        if (damage == "deleted") File.Delete(replica.ShardFile);
        if (damage == "another's")
        {
            using var file = new SqliteDatabase(replica.ShardFile, "shard");
            file.Execute("UPDATE \"dbsync.shard\" SET shard = 'other'");
        }
        await replica.ExecuteAsync(PairReader.Change);
        await using var healed = replica.Start("run");
        if (damage is not "deleted")
        {
            await Eventually.Async(() => NodeFile.Load(replica.Data).StaleSince is not null || NodeFile.Load(replica.Data).Shards[0].File == "main.2.db", TimeSpan.FromSeconds(60), () => healed.StandardError, Cancel);
            File.Exists(replica.ShardFile).ShouldBeFalse("no reader finds what is damaged");
        }
        await replica.CatchUpAsync(healed);
        await StopAsync(healed);
        (await replica.CompareAsync()).ShouldBeEmpty();
        Directory.GetFiles(replica.Data, "*.damaged").ShouldBeEmpty();
    }

    private static async Task ShellAsync(string command) =>
        (await ProcessRunner.RunAsync("sh", ["-c", command], cancellationToken: Cancel)).ExitCode.ShouldBe(0);

    private static async Task StopAsync(TestProcess node)
    {
        node.Terminate();
        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(0, node.StandardError);
    }

    /// <summary>Writes until the primary has given the slot up.</summary>
    private static Task LoseAsync(CliReplica replica) => Eventually.Async(
        async _ =>
        {
            await replica.ExecuteAsync("CREATE TABLE waste AS SELECT repeat(md5(g::text), 30) FROM generate_series(1, 20000) g");
            await replica.ExecuteAsync("DROP TABLE waste");
            await replica.ExecuteAsync("SELECT pg_switch_wal()");
            await replica.ExecuteAsync("CHECKPOINT");
            return await replica.ScalarAsync<string>("SELECT wal_status FROM pg_replication_slots WHERE database = current_database()");
        },
        status => status == "lost",
        TimeSpan.FromSeconds(60),
        cancellationToken: Cancel);

    private static Task DropUnderAsync(CliReplica replica) => Eventually.Async(
        async _ =>
        {
            await replica.ExecuteAsync("SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE database = current_database() AND active");
            try
            {
                await replica.ExecuteAsync("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()");
                return true;
            }
            catch (Npgsql.PostgresException exception) when (exception.SqlState is Npgsql.PostgresErrorCodes.ObjectInUse)
            {
                return false; // the node was quicker: it follows again
            }
        },
        cancellationToken: Cancel);

    private static int ReplicaTries(CliReplica replica) => ReseedFile.Load(replica.Data).Tries.Count;

    private static long CountOf(SqliteConnection replica)
    {
        using var command = replica.CreateCommand();
        command.CommandText = "SELECT count(*) FROM left_side";
        return (long)command.ExecuteScalar()!;
    }
}
