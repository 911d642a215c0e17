namespace DbSync.Tests.Sharding;

/// <summary>
/// Proves that a plan makes as few copies as its quotas allow. A flow has the least cost exactly when no circle of its residual graph has
/// a negative one (Klein 1967): here, when no circle of shards, each passing a bucket to the next, would save a copy.
/// </summary>
internal static class MovementProof
{
    private const int Never = 1_000_000;

    public static bool NothingCheaperReaches(ShardMapPlan plan)
    {
        var (current, target) = (plan.Current!, plan.Target);
        var count = target.Topology.Shards.Length;
        var costs = new int[count, count];
        for (var from = 0; from < count; from++)
        {
            for (var to = 0; to < count; to++) costs[from, to] = Never;
        }

        for (var number = 0; number < Bucket.Count; number++)
        {
            var bucket = new Bucket((ushort)number);
            var homes = new bool[count];
            foreach (var owner in current.OwnersOf(bucket))
            {
                var ordinal = OrdinalOf(target, current.Topology.Shards[owner].Id);
                if (ordinal >= 0) homes[ordinal] = true;
            }

            var owners = target.OwnersOf(bucket);
            foreach (var from in owners)
            {
                for (var to = 0; to < count; to++)
                {
                    if (owners.Contains((ushort)to)) continue;
                    costs[from, to] = Math.Min(costs[from, to], (homes[to] ? 0 : 1) - (homes[from] ? 0 : 1));
                }
            }
        }

        // Floyd and Warshall: a shard that reaches itself for less than nothing is on such a circle.
        for (var over = 0; over < count; over++)
        {
            for (var from = 0; from < count; from++)
            {
                for (var to = 0; to < count; to++) costs[from, to] = Math.Min(costs[from, to], costs[from, over] + costs[over, to]);
            }
        }

        return Enumerable.Range(0, count).All(shard => costs[shard, shard] >= 0);
    }

    private static int OrdinalOf(ShardMap map, ShardId id)
    {
        for (var ordinal = 0; ordinal < map.Topology.Shards.Length; ordinal++)
        {
            if (map.Topology.Shards[ordinal].Id == id) return ordinal;
        }

        return -1;
    }
}
