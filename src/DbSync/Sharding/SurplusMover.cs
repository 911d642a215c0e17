namespace DbSync;

/// <summary>
/// Takes from each shard above its quota the buckets it prefers least, and gives them to those below that prefer them most.
/// </summary>
internal static class SurplusMover
{
    public static void Run(ShardPlacement placement, Rendezvous rendezvous)
    {
        for (var shard = 0; shard < placement.ShardCount; shard++)
        {
            if (placement.Deficit(shard) < 0) Lighten(placement, rendezvous, shard);
        }
    }

    private static void Lighten(ShardPlacement placement, Rendezvous rendezvous, int from)
    {
        int[] buckets = [.. placement.BucketsOf(from)];
        var distances = Array.ConvertAll(buckets, bucket => -rendezvous.Distance(from, bucket));
        Array.Sort(distances, buckets);
        foreach (var bucket in buckets)
        {
            if (placement.Deficit(from) >= 0) return;
            if (Choose(placement, rendezvous, from, bucket) is { } to) placement.Move(bucket, from, to);
        }
    }

    private static int? Choose(ShardPlacement placement, Rendezvous rendezvous, int from, int bucket)
    {
        int? chosen = null;
        var nearest = double.MaxValue;
        for (var shard = 0; shard < placement.ShardCount; shard++)
        {
            if (placement.Deficit(shard) <= 0 || rendezvous.Bound(shard, bucket) >= nearest) continue;
            if (!placement.MayMove(bucket, from, shard)) continue;
            var distance = rendezvous.Distance(shard, bucket);
            if (distance >= nearest) continue;
            (nearest, chosen) = (distance, shard);
        }

        return chosen;
    }
}
