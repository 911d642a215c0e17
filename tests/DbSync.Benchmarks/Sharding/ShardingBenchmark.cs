using System.Diagnostics;

namespace DbSync.Benchmarks.Sharding;

/// <summary>
/// Lookup time, balance and movement of DbSync's buckets beside a ring, jump hash and Maglev, on the same keys and the same hash; and the
/// planner's time and movement.
/// </summary>
internal static class ShardingBenchmark
{
    public static Task<BenchmarkReport> RunAsync(CancellationToken cancellationToken)
    {
        var versions = new Dictionary<string, string>(StringComparer.Ordinal) { [".NET"] = Environment.Version.ToString() };
        var report = new BenchmarkReport("sharding", TimeProvider.System.GetUtcNow(), versions);
        Lookup.Measure(report);
        cancellationToken.ThrowIfCancellationRequested();

        var peers = new List<PlacementQuality>
        {
            PlacementQuality.Of(new BucketScheme()),
            PlacementQuality.Of(new RingScheme(128)),
            PlacementQuality.Of(new RingScheme(1024)),
            PlacementQuality.Of(new JumpScheme()),
            PlacementQuality.Of(new MaglevScheme()),
        };
        foreach (var (what, unit, goal, pick) in PlacementQuality.Aspects)
        {
            var ours = pick(peers[0]);
            report.Add(Figure.AtMost($"{what}, {peers[0].Name}", ours, unit, goal));
            foreach (var peer in peers.Skip(1))
            {
                if (double.IsNaN(pick(peer))) continue;
                report.Add(new Figure($"{what}, {peer.Name}", pick(peer), unit).Beside(peers[0].Name, ours));
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        Planning.Measure(report);
        return Task.FromResult(report);
    }

    public static ShardTopology Shards(int count, int copies = 1, Func<int, int>? weight = null) =>
        new(
            [.. Enumerable.Range(0, count).Select(number => new ShardMember(new ShardId($"shard-{number}"), weight?.Invoke(number) ?? 1))],
            copies);

    public static ShardTopology Without(this ShardTopology topology, int ordinal) =>
        new(topology.Shards.RemoveAt(ordinal), topology.Copies);

    public static ShardTopology With(this ShardTopology topology, ShardMember member) => new(topology.Shards.Add(member), topology.Copies);

    /// <summary>The fastest of some runs, in milliseconds: what the code costs, without what else the machine did.</summary>
    public static double FastestMilliseconds(int runs, Action action)
    {
        var fastest = double.MaxValue;
        for (var run = 0; run < runs; run++)
        {
            var started = Stopwatch.GetTimestamp();
            action();
            fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return fastest;
    }
}
