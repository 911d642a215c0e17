using DbSync.EntityFrameworkCore.Parity;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>Finds the one shard of this node that has all that an execution of a query can see.</summary>
internal static class ShardChoice
{
    /// <summary>The shard's place in the node, the first where any would do; null when it takes all of them.</summary>
    public static int? Of(ReplicaNeeds needs, ShardLayout layout, NodeFile node, IReadOnlyDictionary<string, object?> parameters, DbContext context)
    {
        if (needs.Bindings is not { } bindings) return null;
        int? chosen = null;
        foreach (var (alias, table) in bindings.Tables)
        {
            if (!layout.Keys.TryGetValue(table, out var rule)) continue; // every shard has all of it
            if (BucketsOf(needs, alias, rule, parameters, context) is not { Count: > 0 } buckets) return null;
            foreach (var bucket in buckets)
            {
                if (PlaceOf(layout, bucket, node) is not { } place || (chosen ?? place) != place) return null;
                chosen = place;
            }
        }
        return chosen ?? 0;
    }

    private static List<Bucket>? BucketsOf(ReplicaNeeds needs, string alias, ShardKeyRule rule, IReadOnlyDictionary<string, object?> parameters, DbContext context)
    {
        var hashes = new List<ulong> { 0 };
        for (var i = 0; i < rule.Columns.Length; i++)
        {
            if (needs.Bindings!.Find(alias, rule.Columns[i])?.Resolve(parameters, needs.Filters, context) is not { } values) return null;
            var next = new List<ulong>();
            foreach (var value in values)
            {
                if (PostgresHash.OfValue(rule.Kinds[i], value) is not { } hash) return null;
                next.AddRange(hashes.Select(before => PostgresHash.Combine(before, hash)));
            }
            hashes = next;
        }
        return hashes.ConvertAll(Bucket.OfHash);
    }

    private static int? PlaceOf(ShardLayout layout, Bucket bucket, NodeFile node)
    {
        foreach (var owner in layout.Map.OwnersOf(bucket))
        {
            var id = layout.Map.Topology.Shards[owner].Id.Name;
            for (var place = 0; place < node.Shards.Count; place++)
                if (node.Shards[place].Id == id) return place;
        }
        return null;
    }
}
