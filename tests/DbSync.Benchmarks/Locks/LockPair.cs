using System.Diagnostics;
using DbSync.Locking;
using Medallion.Threading.Redis;
using RedLockNet.SERedis;
using StackExchange.Redis;

namespace DbSync.Benchmarks.Locks;

/// <summary>Taking a lock and giving it back, once; the number tells pairs apart so that none of them wait for each other.</summary>
internal sealed record LockPair(string Name, Func<int, Task> Run)
{
    /// <summary>Two bare scripts, the least that two steps on the server can cost.</summary>
    public static LockPair Floor(IDatabase database)
    {
        var sha = (byte[])database.Execute("SCRIPT", "LOAD", "return 1")!;
        var hash = System.Text.Encoding.ASCII.GetString(sha);
        return new LockPair("2 x EVALSHA 'return 1'", async _ =>
        {
            await database.ExecuteAsync("EVALSHA", hash, 0);
            await database.ExecuteAsync("EVALSHA", hash, 0);
        });
    }

    public static LockPair Range(IRangeLockManager locks, LockResource resource, string name) => new(name, async number =>
    {
        // Beyond the ranges that are held all the time: 0 .. 2,000,000.
        var options = new RangeLockOptions { Owner = LockOwner.New() };
        await using var held = await locks.AcquireAsync(resource, KeyRange.HalfOpen(10_000_000 + (number * 2), 10_000_001 + (number * 2)), LockMode.Exclusive, options);
    });

    public static LockPair DistributedMutex(IDatabase database) => new("DistributedLock mutex", async number =>
    {
        await using var held = await new RedisDistributedLock($"dl-{number}", database).AcquireAsync();
    });

    public static LockPair DistributedWriter(IDatabase database) => new("DistributedLock reader-writer, write", async number =>
    {
        await using var held = await new RedisDistributedReaderWriterLock($"dlrw-{number}", database).AcquireWriteLockAsync();
    });

    public static LockPair RedLock(RedLockFactory factory) => new("RedLock.net", async number =>
    {
        await using var held = await factory.CreateLockAsync($"rl-{number}", TimeSpan.FromSeconds(30));
        if (!held.IsAcquired) throw new InvalidOperationException("RedLock.net didn't get its lock.");
    });

    /// <summary>One after the other for a while: microseconds each.</summary>
    public async Task<List<double>> OneInFlight(TimeSpan slice)
    {
        var taken = new List<double>();
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < slice)
        {
            var one = Stopwatch.GetTimestamp();
            await Run(0);
            taken.Add(Stopwatch.GetElapsedTime(one).TotalMicroseconds);
        }

        return taken;
    }

    /// <summary>Many at once for a while: how many were done.</summary>
    public async Task<int> Saturated(TimeSpan slice, int inFlight)
    {
        var done = 0;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(1, inFlight).Select(number => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < slice)
            {
                await Run(number);
                Interlocked.Increment(ref done);
            }
        })));
        return done;
    }
}
