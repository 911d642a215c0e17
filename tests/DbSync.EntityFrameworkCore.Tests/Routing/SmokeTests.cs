using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

[Trait("Needs", "Server")]
public sealed class SmokeTests(ShopFixture shop)
{
    [Fact]
    public async Task A_query_is_answered_by_the_replica()
    {
        var node = await shop.GetAsync();
        await using var db = ShopFixture.Routed(node, o => o.WaitUpTo(TimeSpan.FromSeconds(10)));
        (await db.Customers.UseReplica().Where(c => c.Id == 3).SingleAsync(TestContext.Current.CancellationToken)).Name.ShouldBe("Émile");
        db.Customers.Where(c => c.Id == 3).ToQueryString().ShouldStartWith("-- DbSync: replica");
    }
}
