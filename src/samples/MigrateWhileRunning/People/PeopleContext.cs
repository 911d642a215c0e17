using Microsoft.EntityFrameworkCore;

namespace MigrateWhileRunning.People;

/// <summary>The application's newest release; its migrations are the only ones there are.</summary>
internal sealed class PeopleContext(DbContextOptions<PeopleContext> options) : DbContext(options)
{
    public DbSet<Person> People => Set<Person>();

    public DbSet<Address> Addresses => Set<Address>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Person>().ToTable("people").HasOne(p => p.Address).WithOne().HasForeignKey<Address>(a => a.PersonId);
        modelBuilder.Entity<Address>().ToTable("addresses").HasKey(a => a.PersonId);
    }
}

internal sealed class Person
{
    public int Id { get; set; }

    public required string Login { get; set; }

    public required string Name { get; set; }

    public int Balance { get; set; }

    public required string Region { get; set; }

    public Address? Address { get; set; }
}

internal sealed class Address
{
    public int PersonId { get; set; }

    public required string Street { get; set; }

    public required string City { get; set; }
}
