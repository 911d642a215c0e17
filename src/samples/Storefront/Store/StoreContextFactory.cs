using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Storefront.Store;

/// <summary>For <c>dotnet ef migrations add</c>: neither a server nor a replica is needed.</summary>
public sealed class StoreContextFactory : IDesignTimeDbContextFactory<StoreContext>
{
    public StoreContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<StoreContext>().UseNpgsql("Host=localhost").UseDbSync("nowhere").Options);
}
