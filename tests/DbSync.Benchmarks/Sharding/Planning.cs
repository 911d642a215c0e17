namespace DbSync.Benchmarks.Sharding;

/// <summary>The planner: its time for 100 shards, and the copies that its plans make beside the fewest that could be.</summary>
internal static class Planning
{
    private const int Shards = 100;
    private const int Runs = 15;
    private const double MillisecondsMax = 50;

    public static void Measure(BenchmarkReport report)
    {
        foreach (var copies in (int[])[1, 3])
        {
            var shards = ShardingBenchmark.Shards(Shards, copies);
            var map = ShardMapPlanner.Start(shards).Target;
            var changes = new (string Name, ShardTopology Topology)[]
            {
                ("one more", shards.With(new ShardMember(new ShardId("newcomer")))),
                ("one less", shards.Without(Shards / 2)),
                ("new weights", ShardingBenchmark.Shards(Shards, copies, number => 1 + (number % 5))),
            };
            Time($"plan of {Shards} shards, R={copies}, from nothing", () => ShardMapPlanner.Start(shards));
            foreach (var (name, topology) in changes)
            {
                var plan = ShardMapPlanner.Plan(map, topology);
                Time($"plan of {Shards} shards, R={copies}, {name}", () => ShardMapPlanner.Plan(map, topology));
                report.Add(Figure.AtMost(
                    $"copies made for R={copies}, {name}",
                    (double)plan.CopiesToMove / plan.CopiesToMoveMin,
                    "x least",
                    copies == 1 ? 1.0 : 1.1));
            }

            var counts = map.CountCopies();
            var quota = (double)Bucket.Count * copies / Shards;
            var away = counts.Max(count => Math.Abs(count - quota));
            report.Add(Figure.AtMost($"buckets of a shard away from its quota, R={copies}", away, "buckets", 1));
        }

        void Time(string name, Action plan) =>
            report.Add(Figure.AtMost(name, ShardingBenchmark.FastestMilliseconds(Runs, plan), "ms", MillisecondsMax));
    }
}
