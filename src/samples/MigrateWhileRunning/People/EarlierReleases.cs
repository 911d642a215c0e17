using Microsoft.EntityFrameworkCore;

namespace MigrateWhileRunning.People;

/// <summary>The context of an earlier release, which may still run somewhere while the next one migrates.</summary>
internal sealed class EarlierContext<TPerson>(DbContextOptions<EarlierContext<TPerson>> options) : DbContext(options)
    where TPerson : class
{
    public DbSet<TPerson> People => Set<TPerson>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<TPerson>().ToTable("people");
}

/// <summary>Before anything was migrated.</summary>
internal sealed record FirstPerson(int Id, string Email, int Balance);

/// <summary>With a region.</summary>
internal sealed record PersonOfRegion(int Id, string Region, int Balance);

/// <summary>With the e-mail address renamed to login.</summary>
internal sealed record PersonWithLogin(int Id, string Login, int Balance);
