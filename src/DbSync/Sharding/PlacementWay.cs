namespace DbSync;

/// <summary>One bucket that moves from one shard to another, and how many copies that adds to the plan.</summary>
internal readonly record struct PlacementStep(int Bucket, int From, int To, int Cost)
{
    /// <summary>False for the default value, which means that no bucket may move.</summary>
    public bool Exists => From != To;
}

/// <summary>Steps that together take one copy from a shard above its quota to one below; those between stay as they are.</summary>
internal sealed class PlacementWay(List<PlacementStep> steps)
{
    /// <summary>
    /// Goes the way once, and again with other buckets as long as it leads from too many to too few at the same cost: a way that was the
    /// cheapest once stays so, and looking for it is what takes time.
    /// </summary>
    public void Follow(ShardPlacement placement)
    {
        // From the end, so that a bucket named twice still goes one step; the next search goes on from where that leaves the shortage.
        for (var at = steps.Count - 1; at >= 0; at--)
        {
            var (bucket, from, to, _) = steps[at];
            if (!placement.OwnersOf(bucket).Contains((ushort)from) || !placement.MayMove(bucket, from, to)) return;
            placement.Move(bucket, from, to);
        }

        var (source, sink) = (steps[0].From, steps[^1].To);
        var buckets = steps.ConvertAll(step => new Queue<int>(placement.BucketsOf(step.From)));
        while ((source == ShardPlacement.None || placement.Deficit(source) < 0) && placement.Deficit(sink) > 0)
        {
            var next = new int[steps.Count];
            for (var at = 0; at < next.Length; at++)
            {
                if (Take(placement, steps[at], buckets[at], next.AsSpan(0, at)) is not { } bucket) return;
                next[at] = bucket;
            }

            for (var at = 0; at < next.Length; at++) placement.Move(next[at], steps[at].From, steps[at].To);
        }
    }

    private static int? Take(ShardPlacement placement, PlacementStep step, Queue<int> buckets, ReadOnlySpan<int> taken)
    {
        while (buckets.TryDequeue(out var bucket))
        {
            if (taken.Contains(bucket) || !placement.OwnersOf(bucket).Contains((ushort)step.From)) continue;
            if (placement.MayMove(bucket, step.From, step.To) && placement.CostOf(bucket, step.From, step.To) == step.Cost) return bucket;
        }

        return null;
    }
}
