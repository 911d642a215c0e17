using DbSync.Sqlite;

namespace DbSync.Cli.Sharding;

/// <summary>Counts the rows of every bucket, by reading all sharded tables: a shard key that one customer dominates shows here.</summary>
internal static class BucketWeights
{
    private const int Shown = 5;

    public static IReadOnlyList<ShardsReport.HeavyBucket> Heaviest(ShardLayout layout, IEnumerable<ShardView> shards, CancellationToken cancellationToken)
    {
        var rows = Count(layout, shards, cancellationToken);
        var mean = Math.Max(1.0 / Bucket.Count, rows.Sum() / (double)Bucket.Count);
        return [.. Enumerable.Range(0, Bucket.Count).OrderByDescending(b => rows[b]).Take(Shown)
            .Select(b => new ShardsReport.HeavyBucket(b, layout.Map.ShardOf(new Bucket((ushort)b)).Name, rows[b], rows[b] / mean))];
    }

    /// <summary>The rows of each bucket.</summary>
    public static long[] Count(ShardLayout layout, IEnumerable<ShardView> shards, CancellationToken cancellationToken)
    {
        var rows = new long[Bucket.Count];
        foreach (var shard in shards)
        {
            foreach (var record in shard.Tables())
            {
                if (layout.Keys.GetValueOrDefault(record.Schema.ReplicaName) is not { } rule) continue;
                var key = rule.OverRow(record.Schema);
                shard.ReadRows(
                    record.Schema,
                    cells =>
                    {
                        var bucket = key.BucketOf(cells);
                        if (layout.Map.ShardOf(bucket).Name == shard.Id) rows[bucket.Number]++; // each row once, whatever the copies
                    },
                    cancellationToken);
            }
        }
        return rows;
    }
}
