using DbSync.EndToEnd.Tests.Faults;
using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Cli;

/// <summary><c>dbsync resync</c>, whether a node runs or not: readers see the old rows or the new, whole.</summary>
[Trait("Needs", "Server")]
public sealed class ResyncTests(PostgresFixture postgres)
{
    private const int Rows = 3000;
    private const string Schema = PairReader.Schema + "CREATE INDEX by_v ON left_side (v);";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_running_node_copies_everything_or_a_table_again_while_it_is_read_and_written()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        await using var reader = new PairReader(replica.Data, Rows);
        reader.Start();
        using var stop = new CancellationTokenSource();
        var writer = replica.WriteAsync(PairReader.Change, stop.Token);

        for (var i = 0; i < 2; i++)
        {
            var one = await replica.JsonAsync(0, "resync", "--table", "public.left_side");
            one.GetProperty("tables")[0].GetString().ShouldBe("left_side");
            NodeFile.Load(replica.Data).Shards[0].File.ShouldBe("main.1.db", "a table is swapped in its file");
        }
        using (var shard = new SqliteDatabase(replica.ShardFile, "shard", readOnly: true))
        {
            SqliteCollations.RegisterBuiltIn(shard.Handle);
            shard.QueryInteger("SELECT count(*) FROM sqlite_schema WHERE tbl_name = 'left_side' AND type = 'index'").ShouldBe(1);
            shard.QueryInteger("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'dbsync.shadow%' AND type = 'table'").ShouldBe(0);
        }
        var all = await replica.JsonAsync(0, "resync");
        all.GetProperty("files")[0].GetString().ShouldBe("main.2.db");
        all.GetProperty("rows").GetInt64().ShouldBeGreaterThanOrEqualTo(2 * Rows);

        await stop.CancelAsync();
        await writer;
        await replica.CatchUpAsync(node);
        await reader.StopAsync();
        node.Terminate();
        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(0, node.StandardError);
        (await replica.CompareAsync()).ShouldBeEmpty();
        (await replica.RunAsync("resync", "--table", "nobody")).ExitCode.ShouldBe(3);
    }

    public static TheoryData<string, string?> Kills => new()
    {
        { Failpoint.AfterChunkCommit, "left_side" },
        { Failpoint.AfterCopyFence, "left_side" },
        { Failpoint.AfterTableLive, "left_side" },
        { Failpoint.BeforeSwap, null },
    };

    [Theory]
    [MemberData(nameof(Kills))]
    public async Task A_resync_that_is_killed_is_finished_by_the_next_node(string point, string? table)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync())
        {
            node.Terminate();
            await node.WaitForExitAsync(cancellationToken: Cancel);
        }
        await replica.ExecuteAsync(PairReader.Change);
        await using var reader = new PairReader(replica.Data, Rows);
        reader.Start();
        await using (var victim = replica.Start(table is null ? ["resync"] : ["resync", "--table", table], point))
            (await victim.WaitForExitAsync(TimeSpan.FromSeconds(60), Cancel)).ShouldBe(137, victim.StandardError);
        await using var next = replica.Start("run");
        await replica.CatchUpAsync(next);
        await Eventually.Async(() =>
        {
            using var view = new ShardView(replica.Data, NodeFile.Load(replica.Data).Shards[0]);
            return ResyncRequest.TryLoad(replica.Data) is null && view.Progress(shadows: true).Count == 0;
        }, cancellationToken: Cancel);
        await reader.StopAsync();
        next.Terminate();
        (await next.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(0, next.StandardError);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_table_that_has_diverged_is_brought_back()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync())
        {
            node.Terminate();
            await node.WaitForExitAsync(cancellationToken: Cancel);
        }
        using (var shard = new SqliteDatabase(replica.ShardFile, "shard")) shard.Execute("DELETE FROM left_side WHERE id = 7");
        await replica.ExecuteAsync("UPDATE left_side SET v = 100 WHERE id = 7");
        var run = await replica.RunAsync("run", "--on-slot-loss", "stop"); // else the node mends it by itself
        run.StandardError.ShouldContain(ErrorCodes.Diverged);
        await replica.JsonAsync(0, "resync", "--table", "left_side");
        await using var healed = await replica.StartAsync();
        await replica.CatchUpAsync(healed);
        healed.Terminate();
        await healed.WaitForExitAsync(cancellationToken: Cancel);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }
}
