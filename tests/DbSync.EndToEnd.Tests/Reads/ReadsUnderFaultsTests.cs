using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using DbSync.EndToEnd.Tests.Cli;
using DbSync.EntityFrameworkCore;
using DbSync.EntityFrameworkCore.Routing;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EndToEnd.Tests.Reads;

/// <summary>
/// Histories of concurrent sessions while a real node is paused, killed and made to copy its table again, and the application's own connections are broken:
/// each session reads what it wrote, and never goes back.
/// </summary>
[Trait("Needs", "Server")]
public sealed class ReadsUnderFaultsTests(PostgresFixture postgres)
{
    private const int Sessions = 8;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("paused")]
    [InlineData("killed")]
    [InlineData("copied again")]
    [InlineData("connections broken")]
    public async Task Sessions_read_their_own_writes_and_never_go_back(string fault)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, TallyContext.Schema);
        await replica.JsonAsync(0, "init");
        var node = new StrongBox<TestProcess>(await replica.StartAsync());
        var (violations, routes) = (new ConcurrentBag<string>(), new ConcurrentDictionary<RouteReason, int>());
        var rounds = new StrongBox<int>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var trouble = TroubleAsync(replica, node, fault, rounds, stop.Token);
        await Task.WhenAll(Enumerable.Range(1, Sessions).Select(id => Task.Run(() => LiveAsync(replica, id, rounds, violations, routes), Cancel)));
        await stop.CancelAsync();
        await trouble;
        await node.Value!.DisposeAsync();
        violations.ShouldBeEmpty();
        routes.Keys.ShouldContain(RouteReason.Replica);
    }

    private static async Task LiveAsync(
        CliReplica replica, int id, StrongBox<int> rounds, ConcurrentBag<string> violations, ConcurrentDictionary<RouteReason, int> routes)
    {
        RouteLog.Observer.Value = (reason, _) => routes.AddOrUpdate(reason, 1, (_, n) => n + 1);
        var session = new DbSyncSession();
        long seen = 0;
        for (var round = 1; round <= 60; round++)
        {
            await using var db = TallyContext.On(replica.Primary, replica.Data, o => o.WaitUpTo(TimeSpan.FromMilliseconds(100)));
            db.UseSyncSession(session);
            if (round % 3 == 0) await db.Database.CreateExecutionStrategy().ExecuteAsync(() => WriteInTransactionAsync(db, id, round));
            else await db.Tallies.Where(t => t.Id == id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Value, round), Cancel);
            var own = await db.Tallies.AsNoTracking().Where(t => t.Id == id).Select(t => t.Value).SingleAsync(Cancel);
            if (own != round) violations.Add($"session {id} wrote {round} and read {own}");
            var all = await db.Tallies.AsNoTracking().SumAsync(t => t.Value, Cancel);
            if (all < seen) violations.Add($"session {id} read {seen}, then {all}");
            seen = all;
            Interlocked.Increment(ref rounds.Value);
        }
    }

    private static async Task WriteInTransactionAsync(TallyContext db, int id, long value)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(Cancel);
        await db.Database.ExecuteSqlAsync($"SET LOCAL synchronous_commit = off", Cancel);
        await db.Tallies.Where(t => t.Id == id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Value, value), Cancel);
        await transaction.CommitAsync(Cancel);
    }

    private static async Task TroubleAsync(CliReplica replica, StrongBox<TestProcess> node, string fault, StrongBox<int> rounds, CancellationToken until)
    {
        for (var time = 0; !until.IsCancellationRequested; time++)
        {
            switch (fault)
            {
                case "paused":
                    node.Value!.Pause();
                    await RoundsAsync(30);
                    node.Value.Resume();
                    break;
                case "killed":
                    node.Value!.Kill();
                    await node.Value.DisposeAsync();
                    await RoundsAsync(20);
                    node.Value = replica.Start("run");
                    break;
                case "copied again":
                    await replica.ExecuteAsync(time % 2 == 0 ? "ALTER TABLE tallies ADD COLUMN more text DEFAULT 'x'" : "ALTER TABLE tallies DROP COLUMN more");
                    break;
                default:
                    await replica.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'");
                    break;
            }
            await RoundsAsync(60);
        }

        Task RoundsAsync(int more)
        {
            var enough = Volatile.Read(ref rounds.Value) + more;
            return Eventually.Async(() => Volatile.Read(ref rounds.Value) >= enough || until.IsCancellationRequested, TimeSpan.FromSeconds(60), cancellationToken: Cancel);
        }
    }
}
