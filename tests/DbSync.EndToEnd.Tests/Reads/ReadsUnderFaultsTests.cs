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
/// each reads what its level promises, at worst from the primary.
/// </summary>
[Trait("Needs", "Server")]
public sealed class ReadsUnderFaultsTests(PostgresFixture postgres)
{
    private const int Sessions = 9;
    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(400);
    private static readonly ReadConsistency[] Levels = [ReadConsistency.Session, ReadConsistency.Strong, ReadConsistency.BoundedStaleness(Bound)];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("paused")]
    [InlineData("killed")]
    [InlineData("copied again")]
    [InlineData("connections broken")]
    public async Task No_level_is_broken(string fault)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, TallyContext.Schema);
        await replica.JsonAsync(0, "init");
        var node = new StrongBox<TestProcess>(await replica.StartAsync());
        var (violations, routes) = (new ConcurrentBag<string>(), new ConcurrentDictionary<(ReadConsistency Level, RouteReason Route), bool>());
        var (rounds, writes) = (new StrongBox<int>(), new AcknowledgedWrites());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var trouble = TroubleAsync(replica, node, fault, rounds, stop.Token);
        await Task.WhenAll(Enumerable.Range(1, Sessions).Select(id => Task.Run(() => LiveAsync(replica, Levels[id % Levels.Length], id, rounds, writes, violations, routes), Cancel)));
        await stop.CancelAsync();
        await trouble;
        await node.Value!.DisposeAsync();
        violations.ShouldBeEmpty();
        foreach (var level in Levels) routes.Keys.ShouldContain((level, RouteReason.Replica));
    }

    private static async Task LiveAsync(
        CliReplica replica, ReadConsistency level, int id, StrongBox<int> rounds, AcknowledgedWrites writes, ConcurrentBag<string> violations,
        ConcurrentDictionary<(ReadConsistency Level, RouteReason Route), bool> routes)
    {
        RouteLog.Observer.Value = (reason, _) => routes.TryAdd((level, reason), true);
        var session = new DbSyncSession();
        var isBounded = level != ReadConsistency.Strong && level != ReadConsistency.Session;
        long seen = 0;
        for (var round = 1; round <= 60; round++)
        {
            await using var db = TallyContext.On(replica.Primary, replica.Data, o => o.UseConsistency(level).WaitUpTo(TimeSpan.FromMilliseconds(100)));
            db.UseSyncSession(session);
            if (round % 3 == 0) await db.Database.CreateExecutionStrategy().ExecuteAsync(() => WriteInTransactionAsync(db, id, round));
            else await db.Tallies.Where(t => t.Id == id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Value, round), Cancel);
            writes.Add();
            var own = await db.Tallies.AsNoTracking().Where(t => t.Id == id).Select(t => t.Value).SingleAsync(Cancel);
            if (!isBounded && own != round) violations.Add($"{level} {id} wrote {round} and read {own}");
            var least = level == ReadConsistency.Session ? seen : isBounded ? writes.Before(Bound) : Math.Max(seen, writes.Now);
            var all = await db.Tallies.AsNoTracking().SumAsync(t => t.Value, Cancel);
            if (all < least) violations.Add($"{level} {id} had to read {least} and read {all}");
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
        await RoundsAsync(40);
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
                    node.Value = await replica.StartAsync();
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
