using DbSync;
using DbSync.Locking;
using DbSync.Postgres.Locking;
using DbSync.Redis;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace SeatBooking;

/// <summary>One process that sells seats until it is stopped or killed.</summary>
internal sealed class BoxOffice(string name, DbContextOptions<Hall> options, bool takesLocks)
{
    /// <summary>What an office says before it waits for the doors.</summary>
    public const string Ready = "ready";

    private const int PartyMax = 5;

    public static async Task RunAsync(string name, string primary, string redis, bool takesLocks, Action<string> say, CancellationToken stop)
    {
        await using var database = NpgsqlDataSource.Create(primary);
        await using var connection = await RedisConnection.ConnectAsync(redis, stop);
        await using var locks = new RedisRangeLockManager(connection, new PostgresEpochStore(database),
            new RedisRangeLockOptions { LeaseDuration = TimeSpan.FromSeconds(1), PollInterval = TimeSpan.FromMilliseconds(100) });
        var options = new DbContextOptionsBuilder<Hall>()
            .UseNpgsql(primary, o => o.EnableRetryOnFailure())
            .UseRangeLocks(locks, new PostgresFence(database))
            .Options;
        say(Ready);
        await Hall.WaitForDoorsAsync(database, stop);
        var office = new BoxOffice(name, options, takesLocks);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                say(await office.SellAsync(stop) ? "sold" : "taken");
            }
            catch (DbSyncException failure) when (failure.Code is "DBS6001" or "DBS6002" or "DBS6005")
            {
                say(failure.Code); // nothing was written: the next customer, please
            }
        }
    }

    /// <summary>Somebody wants seats beside each other: false when one of them is taken.</summary>
    private async Task<bool> SellAsync(CancellationToken stop)
    {
        await using var hall = new Hall(options);
        var row = await hall.Bookings.CountAsync(stop) / Hall.PartiesPerRow % Hall.Rows; // all offices want the foremost row that has room
        var first = Random.Shared.Next(Hall.SeatsPerRow - PartyMax);
        var last = first + Random.Shared.Next(1, PartyMax);

        await using var seats = takesLocks
            ? await hall.Seats.LockRangeAsync(s => new { s.Row, s.Number }, new { Row = row, Number = first }, new { Row = row, Number = last }, LockMode.Exclusive, cancellationToken: stop)
            : null;
        if (seats is not null) await hall.UseLockAsync(seats, stop);

        if (await hall.Bookings.AnyAsync(b => b.Row == row && b.First <= last && first <= b.Last, stop)) return false;
        await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(5)), TimeProvider.System, stop); // the customer looks for the purse
        hall.Add(new Booking { Row = row, First = first, Last = last, SoldBy = name });
        await hall.SaveChangesAsync(stop);
        return true;
    }
}
