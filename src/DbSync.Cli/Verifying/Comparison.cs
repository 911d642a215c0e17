using DbSync.Postgres;
using DbSync.Postgres.Types;
using DbSync.Sqlite;

namespace DbSync.Cli.Verifying;

/// <summary>Both sides, open at one position: a transaction of the primary and one of every shard file.</summary>
internal sealed class Comparison(Lsn position, PrimaryDigests primary, IReadOnlyList<ShardView> shards) : IAsyncDisposable
{
    /// <summary>Rows of differing groups that are compared key by key at a time.</summary>
    private const long RowsAtOnceMax = 1_000_000;

    public Lsn Position => position;

    /// <summary>
    /// Compares a table. Each shard holds all of a reference table; of a sharded one, each copy is the rows of its buckets' owners together, and
    /// a row anywhere else is a difference too.
    /// </summary>
    public async Task<TableVerdict> CompareAsync(TableSchema table, CancellationToken cancellationToken)
    {
        var codecs = await primary.CodecsAsync(table, cancellationToken);
        var parts = ShardPart.Of(table, shards);
        var here = parts.SelectMany(p => p.Shards).Distinct().Select(s => Task.Run(() => GroupsOf(s, parts, table, codecs, cancellationToken), cancellationToken)).ToList();
        var expected = new Dictionary<string, GroupDigests>(StringComparer.Ordinal); // one connection: one after the other
        foreach (var condition in parts.Where(p => !p.IsStray).Select(p => p.Condition).Distinct(StringComparer.Ordinal))
            expected.Add(condition ?? "", await primary.GroupsAsync(table, codecs, condition, cancellationToken));
        var actual = parts.ConvertAll(_ => new GroupDigests());
        foreach (var shard in here)
        {
            var digests = await shard;
            for (var i = 0; i < parts.Count; i++) actual[i].Add(digests[i]);
        }
        long rows = 0, differences = 0;
        for (var i = 0; i < parts.Count; i++)
        {
            if (!parts[i].IsStray) rows = Math.Max(rows, actual[i].Rows);
            else differences += actual[i].Rows;
            if (parts[i].IsStray) continue;
            foreach (var groups in Batches(expected[parts[i].Condition ?? ""], actual[i]))
                differences += await CountAsync(parts[i], table, codecs, groups, cancellationToken);
        }
        return new TableVerdict(table.ReplicaName, expected.Values.Max(e => e.Rows), rows, differences);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var shard in shards) shard.Dispose();
        await primary.DisposeAsync();
    }

    private static List<GroupDigests> GroupsOf(
        ShardView shard, List<ShardPart> parts, TableSchema table, TypeCodec[] codecs, CancellationToken cancellationToken)
    {
        var groups = parts.ConvertAll(_ => new GroupDigests());
        var hasher = new RowHasher(table, codecs);
        shard.ReadRows(
            table,
            cells =>
            {
                var (key, row) = hasher.Hash(cells);
                for (var i = 0; i < parts.Count; i++)
                    if (parts[i].Has(shard, cells)) groups[i].Add(key, row);
            },
            cancellationToken);
        return groups;
    }

    private static IEnumerable<int[]> Batches(GroupDigests expected, GroupDigests actual)
    {
        var batch = new List<int>();
        long rows = 0;
        foreach (var group in expected.DifferingFrom(actual))
        {
            batch.Add(group);
            rows += expected.RowsOf(group) + actual.RowsOf(group);
            if (rows < RowsAtOnceMax) continue;
            yield return [.. batch];
            batch.Clear();
            rows = 0;
        }
        if (batch.Count > 0) yield return [.. batch];
    }

    private async Task<long> CountAsync(ShardPart part, TableSchema table, TypeCodec[] codecs, int[] groups, CancellationToken cancellationToken)
    {
        var counter = new DifferenceCounter(table.HasKey);
        var hasher = new RowHasher(table, codecs);
        var wanted = groups.ToHashSet();
        await primary.RowsAsync(table, codecs, groups, part.Condition, counter.AddPrimary, cancellationToken);
        foreach (var shard in part.Shards)
        {
            shard.ReadRows(
                table,
                cells =>
                {
                    var (key, row) = hasher.Hash(cells);
                    if (wanted.Contains(GroupDigests.GroupOf(key)) && part.Has(shard, cells)) counter.AddReplica(key, row);
                },
                cancellationToken);
        }
        return counter.Count;
    }
}
