using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace MigrateWhileRunning.People;

/// <summary>For <c>dotnet ef migrations add</c>, which needs no database.</summary>
internal sealed class PeopleContextFactory : IDesignTimeDbContextFactory<PeopleContext>
{
    public PeopleContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<PeopleContext>().UseNpgsql("Host=localhost").UseDbSync("replica").Options);
}
