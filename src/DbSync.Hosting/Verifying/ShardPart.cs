using System.Collections.Immutable;
using DbSync.Postgres;
using DbSync.Sqlite;

namespace DbSync.Hosting;

/// <summary>Rows of some shards that together must be all of a table, or that must not be where they are.</summary>
internal sealed class ShardPart
{
    private readonly ShardLayout? _layout;
    private readonly ShardKey? _key;
    private readonly int _copy;
    private readonly Dictionary<string, BucketSet> _besides = new(StringComparer.Ordinal);

    private ShardPart(IReadOnlyList<ShardView> shards, ShardLayout? layout = null, ShardKey? key = null, int copy = 0) =>
        (Shards, _layout, _key, _copy) = (shards, layout, key, copy);

    public IReadOnlyList<ShardView> Shards { get; }

    /// <summary>True for the rows that no shard map has put where they are.</summary>
    public bool IsStray { get; private init; }

    /// <summary>The condition on the primary's rows that must be in this part; null for all of them.</summary>
    public string? Condition { get; private init; }

    /// <summary>
    /// A reference table: each shard by itself. A sharded one: each copy of the buckets that are here; what a shard has of buckets that move, as
    /// far as it must be whole; and what strayed.
    /// </summary>
    public static List<ShardPart> Of(TableSchema table, IReadOnlyList<ShardView> shards)
    {
        var layout = shards[0].Layout();
        if (layout?.Keys.GetValueOrDefault(table.ReplicaName) is not { } rule) return [.. shards.Select(s => new ShardPart([s]))];
        var key = rule.OverRow(table);
        var parts = Enumerable.Range(0, layout.Map.Topology.Copies)
            .Select(copy => new ShardPart(shards, layout, key, copy) { Condition = ConditionOf(layout, key, copy, shards) }).ToList();
        var strays = new ShardPart(shards, layout, key) { IsStray = true };
        foreach (var shard in shards)
        {
            var elsewhere = shard.LeavingOf(table) ?? new BucketSet();
            if (shard.BesidesOf(table) is { } besides)
            {
                var part = new ShardPart([shard], layout, key) { Condition = BucketSql.IsIn(key, [.. besides.All()]) };
                part._besides.Add(shard.Id, besides);
                parts.Add(part);
                elsewhere = elsewhere.Union(besides);
            }
            strays._besides.Add(shard.Id, elsewhere);
        }
        return [.. parts, strays];
    }

    /// <summary>Whether a row of a shard is in this part.</summary>
    /// <param name="shard">Where the row is.</param>
    /// <param name="cells">The row's cells in column order.</param>
    public bool Has(ShardView shard, ReadOnlySpan<byte> cells)
    {
        if (_key is null) return Shards[0] == shard;
        var bucket = _key.BucketOf(cells);
        var isBeside = _besides.GetValueOrDefault(shard.Id)?.Contains(bucket) == true;
        if (IsStray) return !isBeside && !_layout!.Map.IsOwned(bucket, new ShardId(shard.Id));
        return _besides.Count > 0 ? isBeside : NameOf(_layout!.Map.OwnersOf(bucket)[_copy]) == shard.Id;
    }

    private static string? ConditionOf(ShardLayout layout, ShardKey key, int copy, IReadOnlyList<ShardView> shards)
    {
        var here = shards.Select(s => s.Id).ToHashSet(StringComparer.Ordinal);
        var buckets = Enumerable.Range(0, Bucket.Count).Select(b => new Bucket((ushort)b))
            .Where(b => here.Contains(layout.Map.Topology.Shards[layout.Map.OwnersOf(b)[copy]].Id.Name)).ToImmutableArray();
        return buckets.Length == Bucket.Count ? null : BucketSql.IsIn(key, buckets);
    }

    private string NameOf(ushort owner) => _layout!.Map.Topology.Shards[owner].Id.Name;
}
