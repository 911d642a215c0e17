using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace SeatBooking;

/// <summary>A hall with rows of seats, and what was booked in it. Nothing in the database forbids that bookings overlap: only the lock does.</summary>
internal sealed class Hall(DbContextOptions<Hall> options) : DbContext(options)
{
    public const int Rows = 600;
    public const int SeatsPerRow = 40;
    public const int PartiesPerRow = 8;

    public DbSet<Seat> Seats => Set<Seat>();

    public DbSet<Booking> Bookings => Set<Booking>();

    /// <summary>Keeps every office waiting until the doorman's transaction ends.</summary>
    public static async Task CloseDoorsAsync(NpgsqlTransaction doorman, CancellationToken stop)
    {
        await using var close = new NpgsqlCommand("SELECT pg_advisory_xact_lock(1)", doorman.Connection, doorman);
        await close.ExecuteNonQueryAsync(stop);
    }

    public static async Task WaitForDoorsAsync(NpgsqlDataSource database, CancellationToken stop)
    {
        await using var wait = database.CreateCommand("SELECT pg_advisory_xact_lock_shared(1)");
        wait.CommandTimeout = 0;
        await wait.ExecuteNonQueryAsync(stop);
    }

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
