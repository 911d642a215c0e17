using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

/// <summary>Rows that only ever grow, so that a read which goes back is seen.</summary>
internal sealed class CounterContext(DbContextOptions<CounterContext> options) : DbContext(options)
{
    public const string Schema = "CREATE TABLE counters (id int PRIMARY KEY, value bigint NOT NULL); INSERT INTO counters SELECT g, 0 FROM generate_series(0, 63) g;";

    public DbSet<Counter> Counters => Set<Counter>();

    public static CounterContext On(NodeUnderTest node, Action<DbSyncOptionsBuilder>? configure = null) =>
        new(new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(node.ConnectionString).UseDbSync(node.DataPath, configure).Options);

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Counter>(b =>
    {
        b.ToTable("counters");
        b.Property(c => c.Id).HasColumnName("id").ValueGeneratedNever();
        b.Property(c => c.Value).HasColumnName("value");
    });
}

internal sealed class Counter
{
    public int Id { get; set; }

    public long Value { get; set; }
}
