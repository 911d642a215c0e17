using Microsoft.EntityFrameworkCore;

namespace DbSync.Benchmarks.Reads;

/// <summary>The same model for all three: plain Npgsql, routed, and plain SQLite on the same shard file.</summary>
internal sealed class ReadsContext(DbContextOptions<ReadsContext> options) : DbContext(options)
{
    public const string Schema =
        """
        CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL, grp int NOT NULL, value bigint NOT NULL);
        CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL, label text NOT NULL);
        CREATE INDEX ON child (parent_id);
        CREATE INDEX ON parent (grp);
        INSERT INTO parent SELECT g, 'name ' || g, g / 50, g::bigint * 1000 FROM generate_series(1, 100000) g;
        INSERT INTO child SELECT g, 1 + g / 5, 'label ' || g FROM generate_series(1, 50000) g;
        ANALYZE;
        """;

    public DbSet<Parent> Parents => Set<Parent>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Parent>(b =>
        {
            b.ToTable("parent");
            b.Property(p => p.Id).HasColumnName("id");
            b.Property(p => p.Name).HasColumnName("name");
            b.Property(p => p.Group).HasColumnName("grp");
            b.Property(p => p.Value).HasColumnName("value");
        });
        modelBuilder.Entity<Child>(b =>
        {
            b.ToTable("child");
            b.Property(c => c.Id).HasColumnName("id");
            b.Property(c => c.ParentId).HasColumnName("parent_id");
            b.Property(c => c.Label).HasColumnName("label");
        });
    }
}

internal sealed class Parent
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public int Group { get; set; }

    public long Value { get; set; }

    public List<Child> Children { get; } = [];
}

internal sealed class Child
{
    public int Id { get; set; }

    public int ParentId { get; set; }

    public required string Label { get; set; }
}
