using System.Transactions;
using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Consistency;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

[Trait("Needs", "Server")]
public sealed class RoutingRulesTests(ShopFixture shop)
{
    private static readonly Func<ShopContext, int, Customer?> Compiled = EF.CompileQuery((ShopContext db, int id) => db.Customers.FirstOrDefault(c => c.Id == id));

    private static readonly Func<ShopContext, int, Task<Customer?>> CompiledAsync =
        EF.CompileAsyncQuery((ShopContext db, int id) => db.Customers.FirstOrDefault(c => c.Id == id));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_happens_in_a_transaction_is_the_primarys()
    {
        await using var db = await ContextAsync();
        await using (await db.Database.BeginTransactionAsync(Cancel)) db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Transaction);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Replica);
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled)) db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Transaction);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Replica);
    }

    [Fact]
    public async Task A_connection_held_open_keeps_queries_on_it()
    {
        await using var db = await ContextAsync();
        await db.Database.OpenConnectionAsync(Cancel);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.ConnectionOpen);
        await db.Database.CloseConnectionAsync();
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Replica);
    }

    [Fact]
    public async Task Async_rows_are_the_same_rows()
    {
        await using var db = await ContextAsync();
        var streamed = new List<int>();
        await foreach (var customer in db.Customers.UseReplica().OrderBy(c => c.Id).AsAsyncEnumerable().WithCancellation(Cancel)) streamed.Add(customer.Id);
        streamed.ShouldBe(Enumerable.Range(1, 60));
        (await db.Customers.UseReplica().Include(c => c.Orders).AsSplitQuery().OrderBy(c => c.Id).ToListAsync(Cancel)).Sum(c => c.Orders.Count).ShouldBe(120);
        (await db.Customers.UseReplica().CountAsync(Cancel)).ShouldBe(60);
    }

    [Fact]
    public async Task A_query_may_start_while_another_ones_rows_are_read()
    {
        await using var db = await ContextAsync();
        var seen = 0;
        foreach (var order in db.Orders.UseReplica().OrderBy(o => o.Id)) seen += db.Customers.UseReplica().Count(c => c.Id == order.CustomerId);
        seen.ShouldBe(120);
        db.GetService<EntityFrameworkCore.Infrastructure.DbSyncScope>().Lease.ShouldBeNull();
    }

    [Fact]
    public async Task Enumerations_given_up_early_give_their_snapshot_back()
    {
        await using var db = await ContextAsync();
        foreach (var _ in db.Orders.UseReplica().OrderBy(o => o.Id)) break;
        await foreach (var _ in db.Orders.UseReplica().OrderBy(o => o.Id).AsAsyncEnumerable().WithCancellation(Cancel)) break;
        db.GetService<EntityFrameworkCore.Infrastructure.DbSyncScope>().Lease.ShouldBeNull();
    }

    [Fact]
    public async Task Compiled_queries_are_routed()
    {
        await using var db = await ContextAsync();
        var routes = Watch();
        Compiled(db, 4)!.Id.ShouldBe(4);
        (await CompiledAsync(db, 5))!.Id.ShouldBe(5);
        Compiled(db, 500).ShouldBeNull();
        routes.ShouldBe([RouteReason.Replica, RouteReason.Replica, RouteReason.Replica]);
    }

    [Fact]
    public async Task Routing_is_switched_while_the_application_runs()
    {
        await using var db = await ContextAsync();
        db.SetRouting(RoutingMode.Off);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.SwitchedOff);
        db.SetRouting(null);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Replica);
    }

    [Fact]
    public async Task Routing_and_level_are_the_querys_else_the_contexts_else_the_scopes_else_the_options()
    {
        var node = await shop.GetAsync();
        await using var services = new ServiceCollection().AddScoped<DbSyncSession>().AddDbContext<ShopContext>(
            o => o.OfManyKinds().UseNpgsql(node.ConnectionString, n => n.MapEnum<Mood>("mood")).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking)
                .UseDbSync(node.DataPath, d => d.UseRouting(RoutingMode.Off).UseConsistency(ReadConsistency.Eventual).WaitUpTo(TimeSpan.FromSeconds(30)))).BuildServiceProvider();
        await using var scope = services.CreateAsyncScope();
        await using var other = services.CreateAsyncScope();
        var session = scope.ServiceProvider.GetRequiredService<DbSyncSession>();
        var db = scope.ServiceProvider.GetRequiredService<ShopContext>();
        var level = db.GetService<EntityFrameworkCore.Infrastructure.DbSyncScope>();

        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.SwitchedOff);
        session.Routing = RoutingMode.On;
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Replica);
        other.ServiceProvider.GetRequiredService<ShopContext>().Customers.GetRoute().Reason.ShouldBe(RouteReason.SwitchedOff);
        db.Customers.UsePrimary().GetRoute().Reason.ShouldBe(RouteReason.UsePrimary);
        db.SetRouting(RoutingMode.Off);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.SwitchedOff);
        db.SetRouting(null);
        session.Routing = null;
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.SwitchedOff);

        level.Level.ShouldBe(ReadConsistency.Eventual);
        session.Consistency = ReadConsistency.Strong;
        level.Level.ShouldBe(ReadConsistency.Strong);
        db.SetReadConsistency(ReadConsistency.Session);
        level.Level.ShouldBe(ReadConsistency.Session);
    }

    [Fact]
    public async Task Query_filters_see_the_contexts_own_tenant()
    {
        await using var db = await ContextAsync();
        db.Tenant = 2;
        (await db.Documents.UseReplica().CountAsync(Cancel)).ShouldBe(7);
        db.Tenant = 0;
        (await db.Documents.UseReplica().CountAsync(Cancel)).ShouldBe(6);
    }

    [Fact]
    public async Task Pooled_contexts_and_factories_are_routed_and_forget_their_session()
    {
        var node = await shop.GetAsync();
        await using var services = new ServiceCollection().AddPooledDbContextFactory<ShopContext>(
            o => o.OfManyKinds().UseNpgsql(node.ConnectionString, n => n.MapEnum<Mood>("mood")).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking)
                .UseDbSync(node.DataPath, d => d.WaitUpTo(TimeSpan.FromSeconds(30))),
            poolSize: 4).BuildServiceProvider();
        var factory = services.GetRequiredService<IDbContextFactory<ShopContext>>();
        await using (var first = await factory.CreateDbContextAsync(Cancel))
        {
            first.SetRouting(RoutingMode.Off);
            (await first.Customers.CountAsync(Cancel)).ShouldBe(60);
        }
        await using (var again = await factory.CreateDbContextAsync(Cancel)) (await again.Customers.UseReplica().CountAsync(Cancel)).ShouldBe(60);
        await Parallel.ForEachAsync(Enumerable.Range(0, 200), Cancel, async (i, cancel) =>
        {
            await using var db = await factory.CreateDbContextAsync(cancel);
            var id = 1 + (i % 60);
            (await db.Customers.UseReplica().SingleAsync(c => c.Id == id, cancel)).Id.ShouldBe(id);
        });
    }

    [Fact]
    public async Task Every_request_has_a_context_of_its_own()
    {
        var node = await shop.GetAsync();
        await using var services = new ServiceCollection().AddDbContext<ShopContext>(
            o => o.OfManyKinds().UseNpgsql(node.ConnectionString, n => n.MapEnum<Mood>("mood")).UseDbSync(node.DataPath, d => d.WaitUpTo(TimeSpan.FromSeconds(30)))).BuildServiceProvider();
        for (var request = 0; request < 3; request++)
        {
            await using var scope = services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<ShopContext>();
            (await db.Customers.AsNoTracking().UseReplica().CountAsync(Cancel)).ShouldBe(60);
            db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Tracking);
        }
    }

    [Fact]
    public async Task A_missing_replica_is_the_primarys_work()
    {
        var node = await shop.GetAsync();
        using var empty = new TemporaryDirectory();
        await using var db = new ShopContext(ShopFixture.Options(node.ConnectionString).UseDbSync(empty["nothing"]).Options);
        (await db.Customers.CountAsync(Cancel)).ShouldBe(60);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.NoReplica);
    }

    [Fact]
    public async Task A_damaged_replica_is_the_primarys_work()
    {
        var node = await shop.GetAsync();
        using var broken = new TemporaryDirectory();
        File.Copy(Path.Combine(node.DataPath, NodeFile.FileName), broken[NodeFile.FileName]);
        await File.WriteAllTextAsync(broken[NodeFile.Load(node.DataPath).Shards[0].File], new string('x', 20_000), Cancel);
        await using var db = new ShopContext(ShopFixture.Options(node.ConnectionString).UseDbSync(broken.Path).Options);
        (await db.Customers.CountAsync(Cancel)).ShouldBe(60);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Failed);
        await File.WriteAllTextAsync(broken[NodeFile.FileName], "{", Cancel);
        await using var other = new ShopContext(ShopFixture.Options(node.ConnectionString).UseDbSync(broken.Path).Options);
        (await other.Customers.CountAsync(Cancel)).ShouldBe(60);
    }

    [Fact]
    public async Task Another_database_than_the_replicas_is_the_primarys_work()
    {
        var node = await shop.GetAsync();
        using var elsewhere = new TemporaryDirectory();
        (NodeFile.Load(node.DataPath) with { SystemIdentifier = "1234", Database = "another" }).Save(elsewhere.Path);
        await using var db = new ShopContext(ShopFixture.Options(node.ConnectionString).UseDbSync(elsewhere.Path).Options);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.OtherDatabase);
    }

    [Theory]
    [InlineData("Search Path", "tenant7", RouteReason.OtherDatabase)]
    [InlineData("Search Path", "tenant7,public", RouteReason.OtherDatabase)]
    [InlineData("Search Path", "public", RouteReason.Replica)]
    [InlineData("Database", "postgres", RouteReason.OtherDatabase)] // a tenant's own database, on the same server
    public async Task A_tenants_schema_or_database_is_not_taken_for_the_replicas(string key, string value, RouteReason expected)
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await shop.CreateDatabaseAsync(), $"CREATE SCHEMA tenant7; {CounterContext.Schema}", "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        var database = (string)(await node.ScalarAsync("SELECT current_database()"))!;
        (NodeFile.Load(node.DataPath) with { Database = database }).Save(node.DataPath); // as 'dbsync init' writes it
        var elsewhere = new Npgsql.NpgsqlConnectionStringBuilder(node.ConnectionString) { [key] = value }.ConnectionString;
        await using var db = new CounterContext(new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(elsewhere).UseDbSync(node.DataPath, o => o.WaitUpTo(TimeSpan.FromSeconds(30))).Options);
        db.Counters.AsNoTracking().GetRoute().Reason.ShouldBe(expected);
    }

    [Fact]
    public async Task Connection_interceptors_keep_queries_on_the_primary_unless_trusted()
    {
        var node = await shop.GetAsync();
        await using var db = new ShopContext(ShopFixture.Options(node.ConnectionString).AddInterceptors(new Quiet()).UseDbSync(node.DataPath).Options);
        db.Customers.GetRoute().Reason.ShouldBe(RouteReason.Interceptors);
        await using var trusted = new ShopContext(ShopFixture.Options(node.ConnectionString).AddInterceptors(new Quiet())
            .UseDbSync(node.DataPath, o => o.TrustConnectionInterceptors().WaitUpTo(TimeSpan.FromSeconds(30))).Options);
        trusted.Customers.GetRoute().Reason.ShouldBe(RouteReason.Replica);
    }

    [Fact]
    public async Task Insisting_on_the_replica_throws_with_the_reason()
    {
        var node = await shop.GetAsync();
        await using var db = ShopFixture.Routed(node, o => o.ThrowOnFallback());
        Should.Throw<DbSyncException>(() => db.Unpublished.ToList()).Code.ShouldBe(ErrorCodes.NotRouted);
        (await db.Customers.AsTracking().CountAsync(c => c.Id > 0, Cancel)).ShouldBe(60);
        (await db.Customers.AsTracking().ToListAsync(Cancel)).Count.ShouldBe(60); // the primary's own: no fallback
        Should.Throw<DbSyncException>(() => db.Customers.AsTracking().UseReplica().ToList()).Message.ShouldContain("AsNoTracking");
    }

    [Fact]
    public async Task A_fallback_is_an_event_that_can_be_made_to_throw()
    {
        var node = await shop.GetAsync();
        await using var db = new ShopContext(ShopFixture.Options(node.ConnectionString).UseDbSync(node.DataPath)
            .ConfigureWarnings(w => w.Throw(DbSyncEventId.QueryFellBack)).Options);
        Should.Throw<InvalidOperationException>(() => db.Unpublished.Select(u => u.Name + "?").ToList()).Message.ShouldContain("NotReplicated");
    }

    [Fact]
    public void Options_without_Npgsql_are_refused() =>
        Should.Throw<DbSyncException>(() => new DbContext(new DbContextOptionsBuilder().UseSqlite().UseDbSync("nowhere").Options).Model.ToString()).Code.ShouldBe(ErrorCodes.CannotPlugIn);

    private async Task<ShopContext> ContextAsync() => ShopFixture.Routed(await shop.GetAsync(), o => o.WaitUpTo(TimeSpan.FromSeconds(30)));

    private static List<RouteReason> Watch()
    {
        var routes = new List<RouteReason>();
        RouteLog.Observer.Value = (reason, _) => routes.Add(reason);
        return routes;
    }

    private sealed class Quiet : DbConnectionInterceptor;
}
