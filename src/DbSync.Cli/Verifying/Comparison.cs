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

    /// <summary>Compares a table in every shard; each holds all of it.</summary>
    public async Task<TableVerdict> CompareAsync(TableSchema table, CancellationToken cancellationToken)
    {
        var codecs = await primary.CodecsAsync(table, cancellationToken);
        var there = primary.GroupsAsync(table, codecs, cancellationToken);
        var here = shards.Select(s => Task.Run(() => GroupsOf(s, table, codecs, cancellationToken), cancellationToken)).ToList();
        var expected = await there;
        long rows = 0, differences = 0;
        for (var i = 0; i < shards.Count; i++)
        {
            var actual = await here[i];
            rows = Math.Max(rows, actual.Rows);
            foreach (var groups in Batches(expected, actual))
                differences += await CountAsync(shards[i], table, codecs, groups, cancellationToken);
        }
        return new TableVerdict(table.ReplicaName, expected.Rows, rows, differences);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var shard in shards) shard.Dispose();
        await primary.DisposeAsync();
    }

    private static GroupDigests GroupsOf(ShardView shard, TableSchema table, TypeCodec[] codecs, CancellationToken cancellationToken)
    {
        var groups = new GroupDigests();
        var hasher = new RowHasher(table, codecs);
        shard.ReadRows(
            table,
            cells =>
            {
                var (key, row) = hasher.Hash(cells);
                groups.Add(key, row);
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

    private async Task<long> CountAsync(ShardView shard, TableSchema table, TypeCodec[] codecs, int[] groups, CancellationToken cancellationToken)
    {
        var counter = new DifferenceCounter(table.HasKey);
        var hasher = new RowHasher(table, codecs);
        var wanted = groups.ToHashSet();
        await primary.RowsAsync(table, codecs, groups, counter.AddPrimary, cancellationToken);
        shard.ReadRows(
            table,
            cells =>
            {
                var (key, row) = hasher.Hash(cells);
                if (wanted.Contains(GroupDigests.GroupOf(key))) counter.AddReplica(key, row);
            },
            cancellationToken);
        return counter.Count;
    }
}
