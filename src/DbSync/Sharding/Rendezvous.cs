using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;

namespace DbSync;

/// <summary>
/// Weighted rendezvous hashing: for each bucket every shard draws a distance, from its own name and the bucket alone, and the nearest
/// is preferred. A shard is nearest to as large a part of the buckets as its weight is of all weights, and adding or removing one
/// changes nobody else's distance.
/// </summary>
/// <remarks>
/// Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998); the distance -ln(u) / weight with u uniform in (0, 1)
/// makes it weighted (the smallest of independent exponential variates falls to each in proportion to its rate).
/// </remarks>
internal sealed class Rendezvous
{
    private readonly ulong[] _seeds;
    private readonly double[] _inverseWeights;

    public Rendezvous(ImmutableArray<ShardMember> shards)
    {
        _seeds = [.. shards.Select(shard => PostgresHash.OfBytes(Encoding.UTF8.GetBytes(shard.Id.Name)))];
        _inverseWeights = [.. shards.Select(shard => 1.0 / Math.Max(1, shard.Weight))];
    }

    public double Distance(int shard, int bucket) => -Math.Log(Draw(shard, bucket)) * _inverseWeights[shard];

    /// <summary>What the distance is not below: -ln(u) >= 1 - u, enough to dismiss nearly every shard without a logarithm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Bound(int shard, int bucket) => (1 - Draw(shard, bucket)) * _inverseWeights[shard];

    /// <summary>The bounds of all shards for one bucket.</summary>
    public void Bound(int bucket, Span<double> bounds)
    {
        for (var shard = 0; shard < bounds.Length; shard++) bounds[shard] = Bound(shard, bucket);
    }

    /// <summary>A number in (0, 1), from the last step of SplitMix64 (Steele, Lea, Flood 2014).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private double Draw(int shard, int bucket)
    {
        var z = _seeds[shard] + ((ulong)(bucket + 1) * 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        z ^= z >> 31;
        return ((z >> 11) + 0.5) * (1.0 / (1ul << 53));
    }
}
