namespace DbSync.Benchmarks.Sharding;

/// <summary>Finds the shard of a key by the key's hash. A struct, so that what is timed is the lookup and not a call to it.</summary>
internal interface IKeyPlacement
{
    /// <summary>The ordinal of the shard among those that the placement was built from.</summary>
    int Find(ulong hash);
}

/// <summary>A way to place keys on shards: how it is built, and rebuilt when the shards change.</summary>
internal interface IPlacementScheme<T>
    where T : struct, IKeyPlacement
{
    string Name { get; }

    /// <param name="shards">The shards with their weights.</param>
    /// <param name="before">The placement of the shards before a change; only a placement that is kept as state needs it.</param>
    T Build(ShardTopology shards, T? before);
}
