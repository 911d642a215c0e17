using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Transactions;
using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

/// <summary>
/// Histories of many sessions at once, of every level that promises something, while the node is stopped, started, and held up in applying: no level is
/// ever broken.
/// </summary>
[Trait("Needs", "Server")]
public sealed class SessionHistoryTests(ShopFixture shop)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(100);

    [Fact]
    public async Task No_level_is_broken()
    {
        var (violations, routes) = await HistoryAsync(level => level);
        violations.ShouldBeEmpty();
        foreach (var level in Levels)
        {
            routes.ShouldContain((level, RouteReason.Replica));
            routes.ShouldContain((level, RouteReason.NotFresh)); // the trouble was felt
        }
    }

    [Fact]
    public async Task The_same_history_without_a_promise_shows_what_is_looked_for()
    {
        var (violations, _) = await HistoryAsync(_ => ReadConsistency.Eventual);
        foreach (var level in Levels) violations.ShouldContain(v => v.StartsWith(level.ToString(), StringComparison.Ordinal), level.ToString());
    }

    private static ReadConsistency[] Levels => [ReadConsistency.Session, ReadConsistency.Strong, ReadConsistency.BoundedStaleness(Bound)];

    private async Task<(ConcurrentBag<string> Violations, List<(ReadConsistency Level, RouteReason Route)> Routes)> HistoryAsync(Func<ReadConsistency, ReadConsistency> asked)
    {
        await using var node = await NodeAsync();
        var history = new History(new(), [], [], new());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var trouble = TroubleAsync(node, history.Rounds, stop.Token);
        await Task.WhenAll(Enumerable.Range(1, 12).Select(id => Task.Run(() => LiveAsync(node, Levels[id % Levels.Length], asked, id, history), Cancel)));
        await stop.CancelAsync();
        await trouble;
        return (history.Violations, [.. history.Routes.Keys]);
    }

    /// <summary>Lives by what <paramref name="level"/> promises, with reads of the level that is asked for in its place.</summary>
    private static async Task LiveAsync(NodeUnderTest node, ReadConsistency level, Func<ReadConsistency, ReadConsistency> asked, int id, History history)
    {
        RouteLog.Observer.Value = (reason, _) => history.Routes.TryAdd((level, reason), true);
        var session = new DbSyncSession();
        var isBounded = level != ReadConsistency.Strong && level != ReadConsistency.Session;
        long written = 0, seen = 0;
        for (var round = 0; round < 60; round++)
        {
            await using var db = CounterContext.On(node, o => o.UseConsistency(asked(level)).WaitUpTo(TimeSpan.FromMilliseconds(150)));
            db.UseSyncSession(session);
            if (round % 2 == 0)
            {
                await WriteAsync(db, id, ++written, round);
                history.Writes.Add();
            }
            var own = await db.Counters.AsNoTracking().Where(c => c.Id == id).Select(c => c.Value).SingleAsync(Cancel);
            if (!isBounded && own != written) history.Violations.Add($"{level} {id} wrote {written} and read {own}");
            var least = level == ReadConsistency.Session ? seen : isBounded ? history.Writes.Before(Bound) : Math.Max(seen, history.Writes.Now);
            var all = await db.Counters.AsNoTracking().SumAsync(c => c.Value, Cancel);
            if (all < least) history.Violations.Add($"{level} {id} had to read {least} and read {all}");
            seen = all;
            if (round % 7 == 0) // a tracked read goes to the primary; the next routed one must not go behind it
                seen = Math.Max(seen, (await db.Counters.ToListAsync(Cancel)).Sum(c => c.Value));
            Interlocked.Increment(ref history.Rounds.Value);
        }
    }

    /// <summary>Every way in which an application writes.</summary>
    private static async Task WriteAsync(CounterContext db, int id, long value, int round)
    {
        switch (round / 2 % 6)
        {
            case 0:
                (await db.Counters.SingleAsync(c => c.Id == id, Cancel)).Value = value;
                await db.SaveChangesAsync(Cancel);
                db.ChangeTracker.Clear();
                return;
            case 1:
                await db.Counters.Where(c => c.Id == id).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, value), Cancel);
                return;
            case 2:
                await db.Database.ExecuteSqlAsync($"UPDATE counters SET value = {value} WHERE id = {id}", Cancel);
                return;
            case 3:
                await using (var transaction = await db.Database.BeginTransactionAsync(Cancel))
                {
                    await db.Database.ExecuteSqlAsync($"SET LOCAL synchronous_commit = off", Cancel);
                    await db.Counters.Where(c => c.Id == id).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, value), Cancel);
                    await transaction.CommitAsync(Cancel);
                }
                return;
            case 4:
                await db.Counters.FromSql($"UPDATE counters SET value = {value} WHERE id = {id} RETURNING id, value").AsNoTracking().ToListAsync(Cancel);
                return;
            default:
                // The default, serializable, may be refused by the server beside other sessions.
                using (var scope = new TransactionScope(
                    TransactionScopeOption.Required, new TransactionOptions { IsolationLevel = IsolationLevel.ReadCommitted }, TransactionScopeAsyncFlowOption.Enabled))
                {
                    await db.Counters.Where(c => c.Id == id).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, value), Cancel);
                    scope.Complete();
                }
                return;
        }
    }

    /// <summary>Stops the node, starts it, and holds it up, again and again; in each state the sessions get some rounds done, and the bound goes by.</summary>
    private static async Task TroubleAsync(NodeUnderTest node, StrongBox<int> rounds, CancellationToken until)
    {
        while (!until.IsCancellationRequested)
        {
            await node.StopAsync();
            await RoundsAsync(6);
            node.Run();
            await node.CatchUpAsync();
            await RoundsAsync(60);
            using (new ApplyBrake(node)) await RoundsAsync(6);
            await RoundsAsync(60);
        }

        Task RoundsAsync(int more)
        {
            var (enough, started) = (Volatile.Read(ref rounds.Value) + more, TimeProvider.System.GetTimestamp());
            return Eventually.Async(
                () => (Volatile.Read(ref rounds.Value) >= enough && TimeProvider.System.GetElapsedTime(started) > Bound * 2) || until.IsCancellationRequested, cancellationToken: Cancel);
        }
    }

    private async Task<NodeUnderTest> NodeAsync()
    {
        var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Options = node.Options with { HeartbeatInterval = Bound / 4 }; // so that the bound is proved by it, mostly
        node.Run();
        await node.CatchUpAsync();
        return node;
    }

    private sealed record History(
        AcknowledgedWrites Writes, ConcurrentBag<string> Violations, ConcurrentDictionary<(ReadConsistency Level, RouteReason Route), bool> Routes, StrongBox<int> Rounds);
}
