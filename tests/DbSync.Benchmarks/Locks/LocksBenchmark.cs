using System.Globalization;
using DbSync.Locking;
using DbSync.Redis;
using DbSync.Testing;
using Medallion.Threading.Redis;
using RedLockNet.SERedis;
using RedLockNet.SERedis.Configuration;
using StackExchange.Redis;

namespace DbSync.Benchmarks.Locks;

/// <summary>
/// All pairs alternate in slices of one run, so that what else the machine does meets them all; of times, costs and rates the median over the
/// slices is shown, of a slice's times their median.
/// </summary>
internal static class LocksBenchmark
{
    private const int Rounds = 9;
    private const int InFlight = 64;
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(200);
    private static readonly int[] HeldCounts = [0, 1_000, 100_000];

    public static async Task<BenchmarkReport> RunAsync(CancellationToken cancellationToken)
    {
        await using var server = await RedisServer.StartAsync(cancellationToken: cancellationToken);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(server.ConnectionString);
        var database = connection.GetDatabase();
        var info = (string)(await database.ExecuteAsync("INFO", "server"))!;
        var report = new BenchmarkReport("locks", TimeProvider.System.GetUtcNow(), new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [".NET"] = Environment.Version.ToString(),
            ["Redis"] = info.Split("redis_version:")[1].Split('\r')[0],
            ["DistributedLock.Redis"] = "1.1.1",
            ["RedLock.net"] = "2.3.2",
        });

        await using var locks = new RedisRangeLockManager(connection, new InMemoryEpochStore());
        using var redLocks = RedLockFactory.Create([new RedLockMultiplexer(connection)]);
        List<LockPair> pairs = [LockPair.Floor(database)];
        foreach (var held in HeldCounts)
        {
            LockResource resource = $"held-{held}";
            await Hold(locks, resource, held, cancellationToken);
            pairs.Add(LockPair.Range(locks, resource, string.Create(CultureInfo.InvariantCulture, $"range lock, {held:#,0} held")));
        }

        pairs.AddRange([LockPair.DistributedMutex(database), LockPair.DistributedWriter(database), LockPair.RedLock(redLocks)]);
        await Measure(report, database, pairs, cancellationToken);
        await Contention.Measure(report, database, locks, cancellationToken);
        await FenceCost.Measure(report, cancellationToken);
        return report;
    }

    private static async Task Measure(BenchmarkReport report, IDatabase database, List<LockPair> pairs, CancellationToken cancellationToken)
    {
        var times = pairs.ToDictionary(pair => pair.Name, _ => new List<double>(), StringComparer.Ordinal);
        var rates = pairs.ToDictionary(pair => pair.Name, _ => new List<double>(), StringComparer.Ordinal);
        var costs = pairs.ToDictionary(pair => pair.Name, _ => new List<double>(), StringComparer.Ordinal);
        foreach (var pair in pairs) await pair.OneInFlight(Slice); // warm
        for (var round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var pair in pairs) times[pair.Name].Add(Median(await pair.OneInFlight(Slice)));
            foreach (var pair in pairs)
            {
                var before = await ServerSeconds(database);
                var done = await pair.Saturated(Slice, InFlight);
                costs[pair.Name].Add((await ServerSeconds(database) - before) * 1e6 / done);
                rates[pair.Name].Add(done / Slice.TotalSeconds);
            }
        }

        var (floor, mutex) = (pairs[0].Name, "DistributedLock mutex");
        var (lockAt1000, lockAt100000) = (pairs[2].Name, pairs[3].Name);
        double P50(string name) => Median(times[name]); // not the quickest slice's: which of them the scheduler favours is luck
        foreach (var pair in pairs)
        {
            var figure = new Figure($"p50 of a pair, {pair.Name}", P50(pair.Name), "us").Beside(floor, P50(floor));
            report.Add(pair.Name == lockAt100000 ? figure with { Goal = "<= 2 x", Met = figure.Ratio <= 2 } : figure);
        }

        foreach (var pair in pairs)
        {
            var figure = new Figure($"Redis CPU of a pair, {pair.Name}", Median(costs[pair.Name]), "us");
            if (pair.Name == lockAt1000) figure = figure with { Goal = "<= 35", Met = figure.Value <= 35 };
            if (pair.Name == lockAt100000)
            {
                figure = figure.Beside(lockAt1000, Median(costs[lockAt1000]));
                figure = figure with { Goal = "<= 1.5 x", Met = figure.Ratio <= 1.5 };
            }

            report.Add(figure);
        }

        foreach (var pair in pairs)
        {
            var figure = new Figure($"saturated, {pair.Name}", Median(rates[pair.Name]), "pairs/s").Beside(mutex, Median(rates[mutex]));
            report.Add(pair.Name == pairs[1].Name ? figure with { Goal = ">= 0.6 x", Met = figure.Ratio >= 0.6 } : figure);
        }
    }

    private static async Task Hold(RedisRangeLockManager locks, LockResource resource, int count, CancellationToken cancellationToken)
    {
        await (await locks.AcquireAsync(resource, KeyRange.Single(-1), LockMode.Exclusive, cancellationToken: cancellationToken)).DisposeAsync();
        foreach (var some in Enumerable.Range(0, count).Chunk(1_000))
            await Task.WhenAll(some.Select(i => locks.AcquireAsync(resource, KeyRange.HalfOpen(i * 20, (i * 20) + 10), LockMode.Exclusive,
                new RangeLockOptions { Owner = LockOwner.New() }, cancellationToken).AsTask()));
    }

    // User and system time of the server's process.
    private static async Task<double> ServerSeconds(IDatabase database)
    {
        var info = (string)(await database.ExecuteAsync("INFO", "cpu"))!;
        double Read(string name) => double.Parse(info.Split(name + ":")[1].Split('\r')[0], CultureInfo.InvariantCulture);
        return Read("used_cpu_user") + Read("used_cpu_sys");
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}
