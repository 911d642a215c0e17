using System.Text.Json;
using DbSync.EntityFrameworkCore;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Samples;

[Trait("Needs", "Server")]
public sealed class SampleTests(PostgresFixture postgres) : IAsyncDisposable
{
    private readonly TemporaryDirectory _files = new();
    private string? _database;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Storefront_servers_show_a_user_own_orders_while_the_one_with_the_engine_is_killed()
    {
        var database = _database = await postgres.CreateDatabaseAsync(Cancel);
        await using var first = await SampleApp.StartAsync("Storefront", database, _files["one"], _files["keys"]);
        await using var spare = await SampleApp.StartAsync("Storefront", database, _files["one"], _files["keys"]);
        await using var other = await SampleApp.StartAsync("Storefront", database, _files["two"], _files["keys"], _files["queries"]);
        foreach (var app in new[] { first, spare, other }) await FromReplicaAsync(app, "/products/7");
        await Eventually.Async(
            async _ =>
            {
                using var stranger = new Browser();
                (await stranger.AskAsync(other, "/products/7")).Route.ShouldStartWith("replica at ");
                return stranger.ReplicaAgeMs;
            },
            age => age is >= 0 and < 60_000, cancellationToken: Cancel);

        using var user = new Browser();
        var orders = 0;
        await OrderAsync([first, other, spare]);
        first.Process.Kill();
        await OrderAsync([spare, other]);
        await Eventually.Async(
            async _ =>
            {
                using var fresh = new Browser();
                await fresh.PostAsync(spare, "/orders?product=7&customer=somebody&quantity=1"); // whose own session needs a replica that goes on
                return (await fresh.AskAsync(spare, "/customers/somebody/orders")).Route;
            },
            route => route.StartsWith("replica", StringComparison.Ordinal), TimeSpan.FromSeconds(60), cancellationToken: Cancel);
        using (var anybody = new Browser()) // the background writer's customers are called so
            await Eventually.Async(async _ => await BoughtAsync(anybody, spare), cancellationToken: Cancel);
        other.Process.Terminate();
        (await other.Process.WaitForExitAsync(TimeSpan.FromSeconds(30), Cancel)).ShouldBe(0);
        var recorded = JsonDocument.Parse((await DbSyncTool.RunAsync(["queries", _files["queries"], "--json"], cancellationToken: Cancel)).StandardOutput).RootElement;
        recorded.GetProperty("routed").GetInt32().ShouldBeGreaterThanOrEqualTo(2);
        var refused = recorded.GetProperty("notRouted").EnumerateArray().ShouldHaveSingleItem();
        refused.GetProperty("reason").GetString().ShouldBe(nameof(RouteReason.Tracking)); // the background writer's
        refused.GetProperty("shape").GetString()!.ShouldStartWith("DbSet<Product>()");

        static async Task<bool> BoughtAsync(Browser anybody, SampleApp app)
        {
            for (var customer = 1; customer < 30; customer++)
                if ((await anybody.AskAsync(app, $"/customers/customer{customer}/orders")).Answer.GetArrayLength() > 0) return true;
            return false;
        }

        async Task OrderAsync(SampleApp[] apps)
        {
            for (var round = 0; round < 9; round++)
            {
                await user.PostAsync(apps[round % apps.Length], "/orders?product=3&customer=me&quantity=1");
                orders++;
                (await user.AskAsync(apps[(round + 1) % apps.Length], "/customers/me/orders")).Answer.GetArrayLength().ShouldBe(orders);
            }
        }
    }

    [Fact]
    public async Task MultiTenant_shows_each_tenant_own_rows_from_the_shard_that_has_them()
    {
        var database = _database = await postgres.CreateDatabaseAsync(Cancel);
        await using var app = await SampleApp.StartAsync("MultiTenant", database, _files["tenants"]);
        using var one = new Browser(("X-Tenant", "1"));
        using var two = new Browser(("X-Tenant", "2"));
        for (var number = 1; number <= 3; number++) await one.PostAsync(app, $"/invoices?number={number}&customer=Ada&amount=2.50");
        await two.PostAsync(app, "/invoices?number=1&customer=Bob&amount=9");

        await FromReplicaAsync(app, "/invoices", "Replica in shard ");
        var shards = new HashSet<string>(StringComparer.Ordinal);
        for (var tenant = 1; tenant <= 12; tenant++)
        {
            using var browser = new Browser(("X-Tenant", $"{tenant}"));
            shards.Add((await browser.AskAsync(app, "/invoices")).Route);
        }
        shards.Count(s => s.StartsWith("Replica in shard s", StringComparison.Ordinal)).ShouldBe(4);
        (await one.AskAsync(app, "/invoices")).Answer.GetArrayLength().ShouldBe(3);
        (await two.AskAsync(app, "/invoices")).Answer.GetArrayLength().ShouldBe(1);
        (await one.AskAsync(app, "/total")).Answer.GetProperty("amount").GetDecimal().ShouldBe(7.50m);
        (await two.AskAsync(app, "/total")).Answer.GetProperty("amount").GetDecimal().ShouldBe(9m);
    }

    public async ValueTask DisposeAsync()
    {
        _files.Dispose();
        if (_database is not null) await PostgresServer.DropSlotsAsync(_database);
    }

    private static Task FromReplicaAsync(SampleApp app, string path, string route = "replica") => Eventually.Async(
        async _ =>
        {
            using var stranger = new Browser();
            return (await stranger.AskAsync(app, path)).Route;
        },
        seen => seen.StartsWith(route, StringComparison.Ordinal), TimeSpan.FromSeconds(60), cancellationToken: Cancel);
}
