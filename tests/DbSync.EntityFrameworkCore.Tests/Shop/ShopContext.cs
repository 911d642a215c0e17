using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Shop;

/// <summary>One of everything that applications map: enums of three kinds, owned types, documents, arrays, three inheritances, a filter.</summary>
public sealed class ShopContext(DbContextOptions<ShopContext> options) : DbContext(options)
{
    public int Tenant { get; set; } = 1;

    public DbSet<Customer> Customers => Set<Customer>();

    public DbSet<Order> Orders => Set<Order>();

    public DbSet<OrderLine> Lines => Set<OrderLine>();

    public DbSet<Product> Products => Set<Product>();

    public DbSet<Category> Categories => Set<Category>();

    public DbSet<Animal> Animals => Set<Animal>();

    public DbSet<Vehicle> Vehicles => Set<Vehicle>();

    public DbSet<Figure> Figures => Set<Figure>();

    public DbSet<Document> Documents => Set<Document>();

    public DbSet<Sample> Samples => Set<Sample>();

    public DbSet<Oddity> Oddities => Set<Oddity>();

    public DbSet<Unpublished> Unpublished => Set<Unpublished>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasPostgresExtension("citext");
        modelBuilder.Entity<Customer>(b =>
        {
            b.Property(c => c.Id).ValueGeneratedNever();
            b.Property(c => c.Credit).HasPrecision(12, 2);
            b.Property(c => c.Bonus).HasPrecision(12, 2);
            b.Property(c => c.LastSeen).HasColumnType("timestamp without time zone");
            b.Property(c => c.Rank).HasConversion<string>();
            b.Property(c => c.Email).HasColumnType("citext");
            b.Property(c => c.Code).HasColumnType("character(5)");
            b.Property(c => c.Raw).HasColumnType("jsonb");
            b.OwnsOne(c => c.Address);
            b.OwnsOne(c => c.Profile, p =>
            {
                p.ToJson();
                p.OwnsMany(x => x.Devices);
            });
            b.HasIndex(c => c.Name);
        });
        modelBuilder.Entity<Order>(b =>
        {
            b.ToTable("orders", "sales");
            b.Property(o => o.Id).ValueGeneratedNever();
            b.Property(o => o.Total).HasPrecision(12, 2);
        });
        modelBuilder.Entity<OrderLine>(b =>
        {
            b.ToTable("order_lines", "sales");
            b.HasKey(l => new { l.OrderId, l.LineNo });
            b.Property(l => l.Price).HasPrecision(18, 4);
        });
        modelBuilder.Entity<Product>(b =>
        {
            b.Property(p => p.Id).ValueGeneratedNever();
            b.HasMany(p => p.Categories).WithMany(c => c.Products);
        });
        modelBuilder.Entity<Category>().Property(c => c.Id).ValueGeneratedNever();
        modelBuilder.Entity<Dog>();
        modelBuilder.Entity<Cat>();
        modelBuilder.Entity<Vehicle>().UseTptMappingStrategy();
        modelBuilder.Entity<Car>();
        modelBuilder.Entity<Figure>().UseTpcMappingStrategy().Property(f => f.Id).ValueGeneratedNever();
        modelBuilder.Entity<Circle>();
        modelBuilder.Entity<Square>();
        modelBuilder.Entity<Document>().HasQueryFilter(d => d.TenantId == Tenant);
        modelBuilder.Entity<Oddity>().Property(o => o.Id).ValueGeneratedNever();
        modelBuilder.Entity<Sample>(b =>
        {
            b.Property(s => s.Id).ValueGeneratedNever();
            b.Property(s => s.Object).HasColumnType("oid");
            b.Property(s => s.Json).HasColumnType("json");
            b.Property(s => s.Xml).HasColumnType("xml");
            b.Property(s => s.Short).HasMaxLength(20);
            b.Property(s => s.Padded).HasColumnType("character(5)");
            b.Property(s => s.Amount).HasPrecision(12, 3);
            b.Property(s => s.Local).HasColumnType("timestamp without time zone");
            b.ComplexProperty(s => s.Size, c =>
            {
                c.Property(x => x.Height).HasPrecision(8, 2);
                c.ComplexProperty(x => x.Unit);
            });
        });
    }
}
