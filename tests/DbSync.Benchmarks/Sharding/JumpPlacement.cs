namespace DbSync.Benchmarks.Sharding;

/// <summary>
/// Jump consistent hash: no memory, no weights, and only the last shard can go (Lamping and Veach, "A Fast, Minimal Memory, Consistent
/// Hash Algorithm", 2014). When another shard goes, all behind it get a new number.
/// </summary>
internal readonly struct JumpPlacement(int shards) : IKeyPlacement
{
    public int Find(ulong hash)
    {
        var (bucket, jump) = (-1L, 0L);
        while (jump < shards)
        {
            bucket = jump;
            hash = (hash * 2862933555777941757) + 1;
            jump = (long)((bucket + 1) * ((1L << 31) / (double)((hash >> 33) + 1)));
        }

        return (int)bucket;
    }
}

internal sealed class JumpScheme : IPlacementScheme<JumpPlacement>
{
    public string Name => "jump";

    public JumpPlacement Build(ShardTopology shards, JumpPlacement? before) => new(shards.Shards.Length);
}
