using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

/// <summary>With shards that can't be read together, only what one shard answers alone is answered by the replica: so it shows who was asked.</summary>
[Trait("Needs", "Server")]
public sealed class ShardRoutingTests(ShopFixture shop)
{
    [Fact]
    public async Task A_query_that_pins_the_shard_key_asks_one_shard_and_any_other_asks_all_at_one_position_or_the_primary()
    {
        await using var node = await ShopFixture.StartAsync(await shop.CreateDatabaseAsync(), shards: 3);
        int[] ids = [7];
        int[] spread = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        var id = 7;
        var routes = new Dictionary<string, RouteReason>(StringComparer.Ordinal);
        async Task AskAsync(string name, Func<ShopContext, Task<object?>> query)
        {
            await using var plain = ShopFixture.Plain(node.ConnectionString);
            await using var routed = ShopFixture.Routed(node, o => o.UseConsistency(ReadConsistency.Eventual));
            RouteLog.Observer.Value = (reason, _) => routes[name] = reason;
            (await query(routed)).ShouldBe(await query(plain), name);
        }
        async Task AskAllAsync()
        {
            await AskAsync("equal", async db => await db.Customers.Where(c => c.Id == id).Select(c => c.Name).SingleAsync());
            await AskAsync("contains one", async db => await db.Customers.Where(c => ids.Contains(c.Id) && c.Name != "-").CountAsync());
            await AskAsync("both tables", async db => await db.Orders.Where(o => o.Id == id && db.Customers.Any(c => c.Id == o.Id)).CountAsync());
            await AskAsync("reference table", async db => await db.Categories.CountAsync());
            await AskAsync("all", async db => await db.Customers.CountAsync());
            await AskAsync("contains many", async db => await db.Customers.Where(c => spread.Contains(c.Id)).CountAsync());
            await AskAsync("either", async db => await db.Customers.Where(c => c.Id == id || c.Active).CountAsync());
            await AskAsync("another table", async db => await db.Customers.Where(c => c.Id == id).Select(c => c.Orders.Count).SingleAsync());
            await AskAsync("outer of a subquery", async db => await db.Customers.Where(c => !db.Orders.Any(o => o.Id == id && o.Id == c.Id)).CountAsync());
        }

        await AskAllAsync();
        routes.Values.ShouldAllBe(r => r == RouteReason.Replica);

        await node.StopAsync();
        using (var file = new SqliteDatabase(Path.Combine(node.DataPath, "s1.1.db"), "s1")) file.Execute("UPDATE \"dbsync.shard\" SET applied_lsn = applied_lsn + 8");
        await AskAllAsync();
        routes.Where(r => r.Value == RouteReason.Replica).Select(r => r.Key).ShouldBe(["equal", "contains one", "both tables", "reference table"], ignoreOrder: true);
    }
}
