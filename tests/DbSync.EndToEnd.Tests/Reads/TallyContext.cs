using DbSync.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EndToEnd.Tests.Reads;

/// <summary>Rows that only ever grow, so that a read which goes back is seen. Writes are retried when the connection breaks.</summary>
internal sealed class TallyContext(DbContextOptions<TallyContext> options) : DbContext(options)
{
    public const string Schema = "CREATE TABLE tallies (id int PRIMARY KEY, value bigint NOT NULL); INSERT INTO tallies SELECT g, 0 FROM generate_series(0, 63) g;";

    public DbSet<Tally> Tallies => Set<Tally>();

    public static TallyContext On(string connectionString, string data, Action<DbSyncOptionsBuilder>? configure = null) => new(new DbContextOptionsBuilder<TallyContext>()
        .UseNpgsql(connectionString, o => o.EnableRetryOnFailure(20, TimeSpan.FromMilliseconds(50), null)).UseDbSync(data, configure).Options);

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Tally>(b =>
    {
        b.ToTable("tallies");
        b.Property(t => t.Id).HasColumnName("id").ValueGeneratedNever();
        b.Property(t => t.Value).HasColumnName("value");
    });
}

internal sealed class Tally
{
    public int Id { get; set; }

    public long Value { get; set; }
}
