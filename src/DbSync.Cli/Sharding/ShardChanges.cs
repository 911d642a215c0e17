using System.Collections.Immutable;

namespace DbSync.Cli.Sharding;

/// <summary>Shards to be added, removed or given another weight.</summary>
internal sealed record ShardChanges(IReadOnlyList<ShardMember> Added, IReadOnlyCollection<string> Removed, IReadOnlyList<ShardMember> Weighed)
{
    /// <exception cref="DbSyncException">DBS1001 when a shard is not there, or there already.</exception>
    public ShardTopology Apply(ShardTopology topology)
    {
        var shards = topology.Shards.ToDictionary(s => s.Id.Name, StringComparer.Ordinal);
        foreach (var added in Added)
            if (!shards.TryAdd(added.Id.Name, added)) throw Wrong($"Shard '{added.Id}' is there already.");
        foreach (var removed in Removed)
            if (!shards.Remove(removed)) throw Wrong($"There is no shard '{removed}'.");
        foreach (var weighed in Weighed)
            shards[weighed.Id.Name] = (shards.GetValueOrDefault(weighed.Id.Name) ?? throw Wrong($"There is no shard '{weighed.Id}'.")) with { Weight = weighed.Weight };
        ImmutableArray<ShardMember> order = [.. topology.Shards.Where(s => shards.ContainsKey(s.Id.Name)).Select(s => shards[s.Id.Name]), .. Added.Where(a => shards.ContainsKey(a.Id.Name))];
        return new ShardTopology(order, topology.Copies, topology.Spread);
    }

    private static DbSyncException Wrong(string what) => new(ErrorCodes.InvalidOption, what, "'dbsync shards list' shows the shards.");
}
