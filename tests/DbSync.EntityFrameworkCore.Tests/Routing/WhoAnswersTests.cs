using System.Transactions;
using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Consistency;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

/// <summary>Who answers what was really run, for each kind of statement, in transactions, and by what is switched while the application runs.</summary>
[Trait("Needs", "Server")]
public sealed class WhoAnswersTests(ShopFixture shop)
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_kind_of_statement_has_its_route()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Long));
        var kinds = new (string Kind, RouteReason[] Routes, Func<Task<object?>> Run)[]
        {
            ("no tracking", [RouteReason.Replica], async () => (await db.Counters.AsNoTracking().SingleAsync(c => c.Id == 1, Cancel)).Value),
            ("without entities", [RouteReason.Replica], async () => await db.Counters.Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel)),
            ("tracking", [RouteReason.Tracking], async () => (await db.Counters.SingleAsync(c => c.Id == 1, Cancel)).Value),
            ("Find, which is tracked already", [], () => Task.FromResult<object?>(db.Counters.Find(1)!.Value)),
            ("Find", [RouteReason.Tracking], () => Task.FromResult<object?>(db.Counters.Find(2)!.Value)),
            ("FindAsync", [RouteReason.Tracking], async () => (await db.Counters.FindAsync([3], Cancel))!.Value),
            ("ExecuteUpdate", [RouteReason.Statement], () => Task.FromResult<object?>((long)db.Counters.Where(c => c.Id == -1).ExecuteUpdate(s => s.SetProperty(c => c.Value, 5)))),
            ("ExecuteUpdateAsync", [RouteReason.Statement], async () => (long)await db.Counters.Where(c => c.Id == -1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 5), Cancel)),
            ("ExecuteDelete", [RouteReason.Statement], () => Task.FromResult<object?>((long)db.Counters.Where(c => c.Id == -1).ExecuteDelete())),
            ("ExecuteDeleteAsync", [RouteReason.Statement], async () => (long)await db.Counters.Where(c => c.Id == -1).ExecuteDeleteAsync(Cancel)),
            ("SQL", [RouteReason.Statement], async () => (await db.Counters.FromSql($"SELECT * FROM counters WHERE id = 1").AsNoTracking().SingleAsync(Cancel)).Value),
            ("SQL with LINQ on it", [RouteReason.Statement], async () => await db.Counters.FromSql($"SELECT * FROM counters").Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel)),
            ("SQL in a subquery", [RouteReason.Statement], async () => await db.Counters.AsNoTracking().Where(c => db.Counters.FromSql($"SELECT * FROM counters WHERE id = 1").Any(o => o.Id == c.Id)).SumAsync(c => c.Value, Cancel)),
            ("FOR UPDATE", [RouteReason.Statement], async () => (await db.Counters.FromSql($"SELECT * FROM counters WHERE id = 1 FOR UPDATE").AsNoTracking().ToListAsync(Cancel)).Single().Value),
            ("FOR SHARE", [RouteReason.Statement], async () => (await db.Counters.FromSql($"SELECT * FROM counters WHERE id = 1 FOR SHARE").AsNoTracking().ToListAsync(Cancel)).Single().Value),
            ("SQL of values", [RouteReason.Statement], async () => await db.Database.SqlQuery<long>($"SELECT value AS \"Value\" FROM counters WHERE id = 1").SingleAsync(Cancel)),
            ("SQL that writes", [], async () => (long)await db.Database.ExecuteSqlAsync($"UPDATE counters SET value = 7 WHERE id = -1", Cancel)),
        };
        foreach (var (kind, routes, run) in kinds)
        {
            var seen = Watch();
            (await run()).ShouldBe(0L, kind);
            string.Join(" ", seen).ShouldBe(string.Join(" ", routes), kind);
            if (routes.Length > 0) db.GetLastRoute()!.Reason.ShouldBe(routes[^1], kind);
        }
    }

    [Fact]
    public async Task The_last_route_is_who_answered_in_the_end()
    {
        await using var db = ShopFixture.Routed(await shop.GetAsync(), o => o.WaitUpTo(Long));
        await db.Customers.CountAsync(Cancel);
        db.GetLastRoute()!.ShouldSatisfyAllConditions(r => r.IsReplica.ShouldBeTrue(), r => r.Position.ShouldNotBeNull());
        await db.Customers.Where(c => c.Small * 20000 > c.Id).CountAsync(Cancel); // beyond what SQLite is let compute
        db.GetLastRoute()!.ShouldSatisfyAllConditions(r => r.Reason.ShouldBe(RouteReason.Failed), r => r.Position.ShouldBeNull(), r => r.Age.ShouldBeNull());
    }

    [Fact]
    public async Task Awaited_in_a_transaction_a_query_sees_what_the_transaction_has_done()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Long));
        async Task<long> ReadAsync() => await db.Counters.AsNoTracking().Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel);
        async Task<long> StreamAsync()
        {
            await foreach (var counter in db.Counters.AsNoTracking().Where(c => c.Id == 1).AsAsyncEnumerable().WithCancellation(Cancel)) return counter.Value;
            return -1;
        }
        Task SetAsync(long value) => db.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, value), Cancel);
        var routes = Watch();

        await using (await db.Database.BeginTransactionAsync(Cancel))
        {
            await SetAsync(1);
            (await ReadAsync(), await StreamAsync()).ShouldBe((1, 1));
        }
        (await ReadAsync()).ShouldBe(0); // it was rolled back
        using (var scope = new TransactionScope(
            TransactionScopeOption.Required, new TransactionOptions { IsolationLevel = IsolationLevel.ReadCommitted }, TransactionScopeAsyncFlowOption.Enabled))
        {
            await SetAsync(2);
            (await ReadAsync(), await StreamAsync()).ShouldBe((2, 2));
            scope.Complete();
        }
        (await ReadAsync()).ShouldBe(2);
        using (var transaction = new CommittableTransaction(new TransactionOptions { IsolationLevel = IsolationLevel.ReadCommitted }))
        {
            await db.Database.OpenConnectionAsync(Cancel);
            db.Database.EnlistTransaction(transaction);
            await SetAsync(3);
            (await ReadAsync(), await StreamAsync()).ShouldBe((3, 3));
            transaction.Commit();
            db.Database.EnlistTransaction(null);
            await db.Database.CloseConnectionAsync();
        }
        (await ReadAsync()).ShouldBe(3);
        RouteReason[] within = [RouteReason.Statement, RouteReason.Transaction, RouteReason.Transaction, RouteReason.Replica];
        routes.ShouldBe([.. within, .. within, .. within]);
    }

    /// <summary>The commit of a transaction that was enlisted in comes past EF Core, when another context of the session has read since the write.</summary>
    [Fact]
    public async Task What_an_enlisted_transaction_commits_is_read_by_the_whole_session()
    {
        await using var node = await NodeAsync();
        var session = new DbSyncSession();
        await using var writer = CounterContext.On(node);
        await using var patient = CounterContext.On(node, o => o.WaitUpTo(Long).ThrowOnFallback());
        await using var reader = CounterContext.On(node, o => o.WaitUpTo(TimeSpan.FromMilliseconds(20)));
        foreach (var db in new[] { writer, patient, reader }) db.UseSyncSession(session);
        using (var transaction = new CommittableTransaction(new TransactionOptions { IsolationLevel = IsolationLevel.ReadCommitted }))
        {
            await writer.Database.OpenConnectionAsync(Cancel);
            writer.Database.EnlistTransaction(transaction);
            await writer.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 4), Cancel);
            (await ReadAsync(patient)).ShouldBe(0); // from the replica: what was written so far is known
            await node.StopAsync();
            transaction.Commit();
        }
        (await ReadAsync(reader)).ShouldBe(4);

        Task<long> ReadAsync(CounterContext db) => db.Counters.AsNoTracking().Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel);
    }

    [Fact]
    public async Task The_switch_of_a_data_directory_moves_all_contexts_that_have_no_mode_of_their_own()
    {
        await using var node = await NodeAsync();
        await using var one = CounterContext.On(node, o => o.WaitUpTo(Long));
        await using var other = CounterContext.On(node, o => o.WaitUpTo(Long).UseRouting(RoutingMode.On));
        async Task<RouteReason[]> BothAsync()
        {
            var routes = Watch();
            foreach (var db in new[] { one, other }) (await db.Counters.AsNoTracking().CountAsync(Cancel)).ShouldBe(64);
            return [.. routes];
        }
        var routing = RoutingSwitch.For(node.DataPath + Path.DirectorySeparatorChar); // however it is written
        (await BothAsync()).ShouldBe([RouteReason.Replica, RouteReason.Replica]);
        routing.Mode = RoutingMode.Off;
        (await BothAsync()).ShouldBe([RouteReason.SwitchedOff, RouteReason.Replica]);
        routing.Mode = RoutingMode.Shadow;
        (await BothAsync()).ShouldBe([RouteReason.SwitchedOff, RouteReason.Replica]);
        one.SetRouting(RoutingMode.On);
        (await BothAsync()).ShouldBe([RouteReason.Replica, RouteReason.Replica]);
        one.SetRouting(null);
        routing.Mode = RoutingMode.Off;
        (await BothAsync()).ShouldBe([RouteReason.SwitchedOff, RouteReason.Replica]);
        routing.Mode = RoutingMode.On;
        (await BothAsync()).ShouldBe([RouteReason.Replica, RouteReason.Replica]);
    }

    [Fact]
    public async Task A_contexts_level_is_its_own_until_it_goes_back_to_its_pool()
    {
        await using var node = await NodeAsync();
        await using var services = new ServiceCollection().AddPooledDbContextFactory<CounterContext>(
            o => o.OfManyKinds().UseNpgsql(node.ConnectionString).UseDbSync(node.DataPath, d => d.WaitUpTo(TimeSpan.FromMilliseconds(15))), poolSize: 1).BuildServiceProvider();
        var factory = services.GetRequiredService<IDbContextFactory<CounterContext>>();
        CounterContext first;
        await using (first = await factory.CreateDbContextAsync(Cancel))
        {
            (await RouteAsync(first.Counters)).ShouldBe(RouteReason.Replica);
            await node.StopAsync();
            await node.ExecuteAsync("UPDATE counters SET value = 9"); // somebody else
            (await RouteAsync(first.Counters)).ShouldBe(RouteReason.Replica);
            first.SetReadConsistency(ReadConsistency.Strong);
            (await RouteAsync(first.Counters)).ShouldBe(RouteReason.NotFresh);
            (await RouteAsync(first.Counters.WithConsistency(ReadConsistency.Eventual))).ShouldBe(RouteReason.Replica); // the query's own counts more
        }
        await using var again = await factory.CreateDbContextAsync(Cancel);
        again.ShouldBeSameAs(first);
        (await RouteAsync(again.Counters)).ShouldBe(RouteReason.Replica);
        again.SetReadConsistency(ReadConsistency.Strong);
        again.SetReadConsistency(null);
        (await RouteAsync(again.Counters)).ShouldBe(RouteReason.Replica);
    }

    [Fact]
    public async Task The_text_of_a_query_says_where_it_goes_and_why_in_the_dialect_of_who_answers()
    {
        await using var db = ShopFixture.Routed(await shop.GetAsync(), o => o.WaitUpTo(Long));
        string[] Lines(IQueryable<Customer> query) => query.ToQueryString().Split('\n', 2);
        var routed = Lines(db.Customers.Where(c => c.Name.StartsWith("a")));
        routed[0].ShouldStartWith("-- DbSync: replica at ");
        Lsn.Parse(routed[0].Split(' ')[^1].Trim()).ShouldBeGreaterThan(Lsn.Zero);
        routed[1].ShouldContain("LIKE 'a%'");
        Lines(db.Customers.UsePrimary())[0].Trim().ShouldBe("-- DbSync: primary (UsePrimary: the query says UsePrimary())");
        Lines(db.Customers.AsTracking())[0].ShouldContain("(Tracking: it tracks Customer; say AsNoTracking() to have it routed)");
        Lines(db.Customers.Where(c => EF.Functions.ILike(c.Name, "A%"))).ShouldSatisfyAllConditions(
            lines => lines[0].ShouldStartWith("-- DbSync: primary (NotAlike: "), lines => lines[1].ShouldContain("ILIKE"));
        db.Unpublished.ToQueryString().ShouldStartWith("-- DbSync: primary (NotReplicated: Unpublished is not replicated)");
        await using (await db.Database.BeginTransactionAsync(Cancel)) Lines(db.Customers)[0].ShouldStartWith("-- DbSync: primary (Transaction: ");
        db.SetRouting(RoutingMode.Off);
        Lines(db.Customers)[0].ShouldStartWith("-- DbSync: primary (SwitchedOff: routing is Off)");
    }

    private static async Task<RouteReason> RouteAsync(IQueryable<Counter> counters)
    {
        var routes = Watch();
        await counters.AsNoTracking().CountAsync(Cancel);
        return routes.Single();
    }

    private static List<RouteReason> Watch()
    {
        var routes = new List<RouteReason>();
        RouteLog.Observer.Value = (reason, _) => routes.Add(reason);
        return routes;
    }

    private async Task<NodeUnderTest> NodeAsync()
    {
        var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        return node;
    }
}
