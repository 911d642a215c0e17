using System.Text;

namespace DbSync.Benchmarks.Sharding;

/// <summary>
/// A ring with virtual nodes: a shard has points in proportion to its weight, a key belongs to the next point (Karger et al. 1997; points
/// per shard as in ketama).
/// </summary>
internal readonly struct RingPlacement(ulong[] points, int[] shards) : IKeyPlacement
{
    public int Find(ulong hash)
    {
        var at = Array.BinarySearch(points, hash);
        if (at < 0) at = ~at;
        return shards[at == points.Length ? 0 : at];
    }
}

internal sealed class RingScheme(int pointsPerShard) : IPlacementScheme<RingPlacement>
{
    public string Name => $"ring {pointsPerShard}";

    public RingPlacement Build(ShardTopology shards, RingPlacement? before)
    {
        // Points by weight alone and not by share, so that a shard keeps its points when others come and go.
        var all = shards.Shards
            .SelectMany((shard, ordinal) => Enumerable.Range(0, pointsPerShard * shard.Weight)
                .Select(number => (Point: PostgresHash.OfBytes(Encoding.UTF8.GetBytes($"{shard.Id}-{number}")), Shard: ordinal)))
            .OrderBy(point => point.Point)
            .ToArray();
        return new(Array.ConvertAll(all, point => point.Point), Array.ConvertAll(all, point => point.Shard));
    }
}
