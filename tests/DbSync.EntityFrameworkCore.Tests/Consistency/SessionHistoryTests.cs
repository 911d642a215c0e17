using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Transactions;
using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

/// <summary>Histories of many sessions at once, with the node stopped and started in between: no level is ever broken.</summary>
[Trait("Needs", "Server")]
public sealed class SessionHistoryTests(ShopFixture shop)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Sessions_read_their_own_writes_and_never_go_back()
    {
        var (violations, routes) = await HistoryAsync(ReadConsistency.Session);
        violations.ShouldBeEmpty();
        routes.Keys.ShouldContain(RouteReason.Replica);
        routes.Keys.ShouldContain(RouteReason.NotFresh); // the trouble was felt
    }

    [Fact]
    public async Task The_same_history_without_a_promise_shows_what_is_looked_for() =>
        (await HistoryAsync(ReadConsistency.Eventual)).Violations.ShouldNotBeEmpty();

    private async Task<(ConcurrentBag<string> Violations, ConcurrentDictionary<RouteReason, int> Routes)> HistoryAsync(ReadConsistency level)
    {
        await using var node = await NodeAsync();
        var (violations, routes) = (new ConcurrentBag<string>(), new ConcurrentDictionary<RouteReason, int>());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var rounds = new StrongBox<int>();
        var trouble = TroubleAsync(node, rounds, stop.Token);
        await Task.WhenAll(Enumerable.Range(1, 12).Select(id => Task.Run(() => LiveAsync(node, level, id, rounds, violations, routes), Cancel)));
        await stop.CancelAsync();
        await trouble;
        return (violations, routes);
    }

    private static async Task LiveAsync(
        NodeUnderTest node, ReadConsistency level, int id, StrongBox<int> rounds, ConcurrentBag<string> violations,
        ConcurrentDictionary<RouteReason, int> routes)
    {
        RouteLog.Observer.Value = (reason, _) => routes.AddOrUpdate(reason, 1, (_, n) => n + 1);
        var session = new DbSyncSession();
        long written = 0, seen = 0;
        for (var round = 0; round < 80; round++)
        {
            await using var db = CounterContext.On(node, o => o.UseConsistency(level).WaitUpTo(TimeSpan.FromMilliseconds(250)));
            db.UseSyncSession(session);
            if (round % 2 == 0) await WriteAsync(db, id, ++written, round);
            var own = await db.Counters.AsNoTracking().Where(c => c.Id == id).Select(c => c.Value).SingleAsync(Cancel);
            if (own != written) violations.Add($"session {id} wrote {written} and read {own}");
            var all = await db.Counters.AsNoTracking().SumAsync(c => c.Value, Cancel);
            if (all < seen) violations.Add($"session {id} read {seen}, then {all}");
            seen = all;
            if (round % 7 == 0) // a tracked read goes to the primary; the next routed one must not go behind it
                seen = Math.Max(seen, (await db.Counters.ToListAsync(Cancel)).Sum(c => c.Value));
            Interlocked.Increment(ref rounds.Value);
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

    /// <summary>Stops and starts the node, again and again; in either state the sessions get some rounds done.</summary>
    private static async Task TroubleAsync(NodeUnderTest node, StrongBox<int> rounds, CancellationToken until)
    {
        while (!until.IsCancellationRequested)
        {
            await node.StopAsync();
            await RoundsAsync(6);
            node.Run();
            await node.CatchUpAsync();
            await RoundsAsync(60);
        }

        Task RoundsAsync(int more)
        {
            var enough = Volatile.Read(ref rounds.Value) + more;
            return Eventually.Async(() => Volatile.Read(ref rounds.Value) >= enough || until.IsCancellationRequested, cancellationToken: Cancel);
        }
    }

    private async Task<NodeUnderTest> NodeAsync()
    {
        var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        return node;
    }
}
