using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Locking;

internal sealed class SeatContext(DbContextOptions<SeatContext> options) : DbContext(options)
{
    public const string Schema =
        """
        CREATE TABLE seats (id int PRIMARY KEY, row_number int NOT NULL DEFAULT 0, holder text);
        INSERT INTO seats SELECT g, g / 10, NULL FROM generate_series(0, 99) g;
        CREATE TABLE bookings (tenant text COLLATE "C", number bigint, note text, PRIMARY KEY (tenant, number));
        """;

    public DbSet<Seat> Seats => Set<Seat>();

    public DbSet<Booking> Bookings => Set<Booking>();

    public DbSet<Odd> Odds => Set<Odd>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Seat>(b =>
        {
            b.ToTable("seats");
            b.Property(s => s.Id).HasColumnName("id").ValueGeneratedNever();
            b.Property(s => s.Row).HasColumnName("row_number");
            b.Property(s => s.Holder).HasColumnName("holder");
        });
        modelBuilder.Entity<Booking>(b =>
        {
            b.ToTable("bookings");
            b.HasKey(x => new { x.Tenant, x.Number });
            b.Property(x => x.Tenant).HasColumnName("tenant").UseCollation("C");
            b.Property(x => x.Number).HasColumnName("number");
            b.Property(x => x.Note).HasColumnName("note");
        });
        modelBuilder.Entity<Odd>(b =>
        {
            b.ToTable("odds", "other");
            b.Property(o => o.Price).HasPrecision(10, 2);
            b.Property(o => o.Code).HasColumnType("character(5)");
            b.Property(o => o.Email).HasColumnType("citext");
            b.Property(o => o.Wall).HasColumnType("timestamp without time zone");
            b.Property(o => o.Millis).HasColumnType("timestamp(3) with time zone");
            b.Property(o => o.Kind).HasConversion<string>();
        });
    }
}

internal sealed class Seat
{
    public int Id { get; set; }

    public int Row { get; set; }

    public string? Holder { get; set; }
}

internal sealed class Booking
{
    public string Tenant { get; set; } = "";

    public long Number { get; set; }

    public string? Note { get; set; }
}

internal enum Kind
{
    Small,
    Large,
}

/// <summary>A column of each kind that keys are made of, and some that they can't be made of.</summary>
internal sealed class Odd
{
    public Guid Id { get; set; }

    public decimal Price { get; set; }

    public string Code { get; set; } = "";

    public string Email { get; set; } = "";

    public string Name { get; set; } = "";

    public DateTime Moment { get; set; }

    public DateTime Wall { get; set; }

    public DateTimeOffset Millis { get; set; }

    public DateOnly Day { get; set; }

    public Kind Kind { get; set; }

    public byte[] Bytes { get; set; } = [];

    public double Weight { get; set; }

    public short? Level { get; set; }
}
