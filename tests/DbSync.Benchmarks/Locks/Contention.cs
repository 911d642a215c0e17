using System.Diagnostics;
using DbSync.Locking;
using DbSync.Redis;
using Medallion.Threading.Redis;
using StackExchange.Redis;

namespace DbSync.Benchmarks.Locks;

/// <summary>16 workers on one key: how evenly it goes round, and how long the unluckiest waits. Polling locks let the last holder take it again.</summary>
internal static class Contention
{
    private const int Workers = 16;
    private static readonly TimeSpan Slice = TimeSpan.FromSeconds(3);

    public static async Task Measure(BenchmarkReport report, IDatabase database, RedisRangeLockManager locks, CancellationToken cancellationToken)
    {
        var mutex = new RedisDistributedLock("contended", database);
        var theirs = await Run(async () => await mutex.AcquireAsync(cancellationToken: cancellationToken));
        var ours = await Run(async () => await locks.AcquireAsync("contended", KeyRange.Single(1), LockMode.Exclusive,
            new RangeLockOptions { Owner = LockOwner.New() }, cancellationToken));

        report.Add(Figure.AtMost("16 contenders, max / min per worker, range lock", ours.Unfairness, "ratio", 1.1));
        report.Add(new Figure("16 contenders, max / min per worker, DistributedLock mutex", theirs.Unfairness, "ratio"));
        var worst = new Figure("16 contenders, worst wait, range lock", ours.WorstMilliseconds, "ms").Beside("DistributedLock mutex", theirs.WorstMilliseconds);
        report.Add(worst with { Goal = "<= 0.1 x", Met = worst.Ratio <= 0.1 });
        report.Add(new Figure("16 contenders, sections, range lock", ours.PerSecond, "1/s").Beside("DistributedLock mutex", theirs.PerSecond));
    }

    private static async Task<Outcome> Run(Func<Task<IAsyncDisposable>> acquire)
    {
        var (counts, worst) = (new int[Workers], new double[Workers]);
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < Slice)
            {
                var asked = Stopwatch.GetTimestamp();
                await using var held = await acquire();
                worst[worker] = Math.Max(worst[worker], Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
                counts[worker]++;
            }
        })));
        return new Outcome(counts.Max() / (double)Math.Max(1, counts.Min()), worst.Max(), counts.Sum() / Slice.TotalSeconds);
    }

    private sealed record Outcome(double Unfairness, double WorstMilliseconds, double PerSecond);
}
