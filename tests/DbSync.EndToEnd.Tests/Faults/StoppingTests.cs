using DbSync.EndToEnd.Tests.Cli;
using DbSync.Sqlite;
using DbSync.Testing;
using Npgsql;

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
                var before = Lsn.Parse(await replica.ScalarAsync<string>("SELECT pg_current_wal_insert_lsn()::text"));
                await replica.ExecuteAsync("UPDATE t SET v = 'late'");
                await Eventually.Async( // what has not arrived is not waited for at a stop
                    _ => Task.FromResult(LiveStatus.TryLoad(Path.GetDirectoryName(replica.ShardFile)!)),
                    status => status is not null && Lsn.Parse(status.PrimaryLsn) > before,
                    cancellationToken: Cancel);
                Signal(node, interrupt);
                await node.WaitForLineAsync(l => l.StartsWith("stopping", StringComparison.Ordinal), cancellationToken: Cancel); // two signals at once are one
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

    [Fact]
    public async Task A_command_that_is_cancelled_exits_130()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await using var source = NpgsqlDataSource.Create(replica.Primary);
        await using var another = await source.OpenConnectionAsync(Cancel);
        await using var installs = new NpgsqlCommand($"SELECT pg_advisory_lock({0x6462_7379_6e63})", another); // as another installer does
        await installs.ExecuteNonQueryAsync(Cancel);
        await using var init = replica.Start("init");
        await Eventually.Async(
            async _ => await replica.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"),
            cancellationToken: Cancel);
        init.Interrupt();
        (await init.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(ExitCodes.Cancelled, init.StandardError);
    }

    [Fact]
    public async Task A_statement_that_writes_exits_2_and_changes_nothing()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        (await replica.JsonAsync(2, "sql", "DELETE FROM t")).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.ReadOnlyQuery);
        (await replica.JsonAsync(0, "sql", "SELECT count(*) FROM t")).GetProperty("rows")[0][0].GetInt64().ShouldBe(2000);
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
