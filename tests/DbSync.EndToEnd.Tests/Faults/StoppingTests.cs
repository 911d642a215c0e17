using DbSync.EndToEnd.Tests.Cli;
using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>How the real process ends: the first signal drains, the second does not wait for it.</summary>
[Trait("Needs", "Server")]
public sealed class StoppingTests(PostgresFixture postgres)
{
    private const string Schema = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 2000) g";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ctrl_C_drains_and_exits_0()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        node.Interrupt();
        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(ExitCodes.Ok, node.StandardError);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_second_signal_does_not_wait_for_the_drain(bool interrupt)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync())
        {
            using (var blocker = new SqliteDatabase(replica.ShardFile, "shard")) // somebody who writes into the file keeps the shard from finishing
            {
                blocker.Execute("BEGIN IMMEDIATE");
                await replica.ExecuteAsync("UPDATE t SET v = 'late'");
                Signal(node, interrupt);
                await Eventually.Async(
                    async _ => await replica.ScalarAsync<string>("SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()") is not null,
                    cancellationToken: Cancel);
                node.HasExited.ShouldBeFalse("it drains");
                Signal(node, interrupt);
                (await node.WaitForExitAsync(TimeSpan.FromSeconds(5), Cancel)).ShouldBe(ExitCodes.Cancelled, node.StandardError);
                blocker.Execute("ROLLBACK");
            }
        }
        await using (await replica.StartAsync())
            (await replica.JsonAsync(0, "verify")).GetProperty("differences").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task A_signal_before_the_primary_answers_ends_with_0()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        replica.Primary = "Host=127.0.0.1;Port=1;Username=nobody";
        await using var node = replica.Start("run");
        await node.WaitForLineAsync(l => l.Contains("DBS2001", StringComparison.Ordinal), cancellationToken: Cancel);
        node.Terminate();
        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(ExitCodes.Ok, node.StandardError);
    }

    private static void Signal(TestProcess node, bool interrupt)
    {
        if (interrupt) node.Interrupt();
        else node.Terminate();
    }

    /// <summary>The tool's promise, written down again.</summary>
    private static class ExitCodes
    {
        public const int Ok = 0;
        public const int Cancelled = 130;
    }
}
