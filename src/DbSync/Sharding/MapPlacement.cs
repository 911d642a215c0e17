using System.Collections.Concurrent;
using System.Numerics;

namespace DbSync;

/// <summary>Places rows by a shard map, on the shards of one node. It never changes: a new map is a new placement.</summary>
internal sealed class MapPlacement : IRowPlacement
{
    /// <summary>A row's shards are the bits of one word.</summary>
    public const int ShardsMax = 64;

    private readonly ulong[] _shardsOf = new ulong[Bucket.Count];
    private readonly ulong[] _sureOf;
    private readonly ConcurrentDictionary<TableSchema, Entry> _entries = new(ReferenceEqualityComparer.Instance);
    private Entry _last = new(null!, null);

    /// <param name="layout">The layout to place by.</param>
    /// <param name="shards">The shards of this node, in their order here.</param>
    public MapPlacement(ShardLayout layout, IReadOnlyList<ShardId> shards)
    {
        Layout = layout;
        var members = layout.Map.Topology.Shards;
        var bits = new ulong[members.Length];
        for (var here = 0; here < shards.Count; here++)
        {
            for (var member = 0; member < bits.Length; member++)
                if (members[member].Id == shards[here]) bits[member] |= 1UL << here;
        }
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
            foreach (var owner in layout.Map.OwnersOf(new Bucket((ushort)bucket))) _shardsOf[bucket] |= bits[owner];
        _sureOf = [.. _shardsOf];
        foreach (var (shard, here) in shards.Select((s, i) => (s, i)))
        {
            if (layout.Motion?.HeldBesides(shard) is not { } besides) continue;
            for (var bucket = 0; bucket < Bucket.Count; bucket++)
                if (besides.Contains(new Bucket((ushort)bucket))) _shardsOf[bucket] |= 1UL << here;
        }
        if (layout.Motion is not { Stage: MotionStage.Moving }) _sureOf = _shardsOf;
        IsWhole = Array.TrueForAll(_shardsOf, bits => BitOperations.PopCount(bits) == shards.Count);
    }

    public ShardLayout Layout { get; }

    public bool IsWhole { get; }

    public bool IsEverywhere(TableSchema table) => EntryOf(table).Key is null;

    public ulong ShardsOf(TableSchema table, ReadOnlySpan<byte> identity) =>
        EntryOf(table).Key is { } key ? _shardsOf[key.BucketOf(identity).Number] : ulong.MaxValue;

    public ulong SureShardsOf(TableSchema table, ReadOnlySpan<byte> identity) =>
        EntryOf(table).Key is { } key ? _sureOf[key.BucketOf(identity).Number] : ulong.MaxValue;

    private Entry EntryOf(TableSchema table)
    {
        var last = _last; // replaced as a whole: whoever reads it has a table and its own key
        if (ReferenceEquals(last.Table, table)) return last;
        return _last = _entries.GetOrAdd(
            table, static (t, layout) => new Entry(t, layout.Keys.TryGetValue(TableSchema.ReplicaNameOf(t.Schema, t.Name), out var rule) ? rule.OverIdentity(t) : null), Layout);
    }

    private sealed record Entry(TableSchema Table, ShardKey? Key);
}
