using System.Collections.Immutable;
using CsCheck;

namespace DbSync.Tests.Sharding;

/// <summary>Topologies for the planner's tests: plain ones by name, and random ones.</summary>
internal static class Topologies
{
    public static ShardMember Member(int number, int weight = 1, int nodes = 1, int zones = 1) =>
        new(new ShardId($"s{number}"), weight, $"n{number % nodes}", $"z{number % nodes % zones}");

    public static ShardTopology Equal(int shards, int copies = 1) =>
        new([.. Enumerable.Range(0, shards).Select(number => Member(number))], copies);

    public static ShardTopology With(this ShardTopology topology, Func<ImmutableArray<ShardMember>, ImmutableArray<ShardMember>> change) =>
        new(change(topology.Shards), topology.Copies, topology.Spread);

    /// <summary>
    /// Up to 24 shards on up to 8 nodes in up to 4 zones, weights 0 to 9, and as many copies as the places allow, at most 4.
    /// </summary>
    public static Gen<ShardTopology> Random { get; } =
        from count in Gen.Int[1, 24]
        from offset in Gen.Int[0, 12]
        from nodes in Gen.Int[1, 8]
        from zones in Gen.Int[1, 4]
        from spread in Gen.Enum<Spread>()
        from wanted in Gen.Int[1, 4]
        from weights in Gen.Int[0, 9].Array[count]
        from skew in Gen.Int[0, 9]
        select Build(offset, nodes, zones, spread, wanted, weights, skew);

    /// <summary>A topology and up to five others to go to one after the other, which share many shards with it.</summary>
    public static Gen<ShardTopology[]> Journey { get; } = Random.Array[2, 6];

    private static ShardTopology Build(int offset, int nodes, int zones, Spread spread, int wanted, int[] weights, int skew)
    {
        // One shard must have a weight; one in ten topologies has a shard that outweighs all others.
        if (Array.TrueForAll(weights, weight => weight == 0)) weights[0] = 1;
        if (skew == 0) weights[^1] = 500;
        var shards = weights.Select((weight, at) => Member(offset + at, weight, nodes, zones)).ToImmutableArray();
        var places = shards.Where(shard => shard.Weight > 0).Select(shard => spread switch
        {
            Spread.Shard => shard.Id.Name,
            Spread.Node => shard.Node,
            _ => shard.Zone,
        }).Distinct(StringComparer.Ordinal).Count();
        return new ShardTopology(shards, Math.Min(wanted, places), spread);
    }
}
