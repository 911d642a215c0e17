namespace DbSync.Benchmarks.Sharding;

/// <summary>DbSync's own: buckets and a planned map.</summary>
internal readonly struct BucketPlacement(ShardMap map) : IKeyPlacement
{
    public ShardMap Map { get; } = map;

    public int Find(ulong hash) => Map.FirstOwnerOf(Bucket.OfHash(hash));
}

internal sealed class BucketScheme : IPlacementScheme<BucketPlacement>
{
    public string Name => "DbSync buckets";

    public BucketPlacement Build(ShardTopology shards, BucketPlacement? before) => new(ShardMapPlanner.Plan(before?.Map, shards).Target);
}
