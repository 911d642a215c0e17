using DbSync.EntityFrameworkCore.Tests.Shop;

[assembly: AssemblyFixture(typeof(ShopFixture))]
