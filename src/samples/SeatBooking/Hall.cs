using Microsoft.EntityFrameworkCore;

namespace SeatBooking;

/// <summary>A hall with rows of seats, and what was booked in it. Nothing in the database forbids that bookings overlap: only the lock does.</summary>
internal sealed class Hall(DbContextOptions<Hall> options) : DbContext(options)
{
    public const int Rows = 60;
    public const int SeatsPerRow = 40;

    public DbSet<Seat> Seats => Set<Seat>();

    public DbSet<Booking> Bookings => Set<Booking>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Seat>().HasKey(seat => new { seat.Row, seat.Number });
        modelBuilder.Entity<Booking>().HasIndex(booking => booking.Row);
    }
}

internal sealed class Seat
{
    public int Row { get; set; }

    public int Number { get; set; }
}

/// <summary>Seats beside each other, for one party.</summary>
internal sealed class Booking
{
    public long Id { get; set; }

    public int Row { get; set; }

    public int First { get; set; }

    public int Last { get; set; }

    /// <summary>The process that sold it.</summary>
    public required string SoldBy { get; set; }
}
