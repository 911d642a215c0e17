using Microsoft.EntityFrameworkCore;

namespace Storefront.Store;

/// <summary>The application's one context: its model, its migrations and its writes are PostgreSQL's, its reads the replica's.</summary>
public sealed class StoreContext(DbContextOptions<StoreContext> options) : DbContext(options)
{
    public DbSet<Product> Products => Set<Product>();

    public DbSet<Order> Orders => Set<Order>();

    /// <summary>Brings the database to the newest shape, and fills the shelves of a new one.</summary>
    public async Task PrepareAsync()
    {
        await Database.MigrateAsync();
        await Database.ExecuteSqlAsync(
            $"""
            INSERT INTO products ("Id", "Name", "Category", "Price", "Stock")
            SELECT g, 'Product ' || g, 'Category ' || g % 8, 5 + g % 40, 100 FROM generate_series(1, 200) AS g ON CONFLICT DO NOTHING
            """);
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Product>(b =>
        {
            b.ToTable("products");
            b.Property(p => p.Price).HasPrecision(10, 2);
            b.HasIndex(p => p.Category);
        });
        modelBuilder.Entity<Order>(b =>
        {
            b.ToTable("orders");
            b.HasIndex(o => o.Customer);
        });
    }
}

public sealed class Product
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public required string Category { get; set; }

    public decimal Price { get; set; }

    public int Stock { get; set; }

    public List<Order> Orders { get; } = [];
}

public sealed class Order
{
    public long Id { get; set; }

    public int ProductId { get; set; }

    public Product? Product { get; set; }

    public required string Customer { get; set; }

    public int Quantity { get; set; }

    public DateTime PlacedAt { get; set; }
}
