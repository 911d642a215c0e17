using DbSync.EntityFrameworkCore.Tests.Plugging;
using DbSync.EntityFrameworkCore.Tests.Shop;

[assembly: AssemblyFixture(typeof(ShopFixture))]
[assembly: AssemblyFixture(typeof(Library))]
