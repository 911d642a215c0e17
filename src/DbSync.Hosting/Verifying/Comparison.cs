using DbSync.Postgres;
using DbSync.Postgres.Types;
using DbSync.Sqlite;

namespace DbSync.Hosting;

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
    public async Task<TableComparison> CompareAsync(TableSchema table, ComparisonOptions options, CancellationToken cancellationToken)
    {
        var codecs = await primary.CodecsAsync(table, cancellationToken);
        var parts = ShardPart.Of(table, shards);
        var here = parts.SelectMany(p => p.Shards).Distinct().Select(s => Task.Run(() => GroupsOf(s, parts, table, codecs, cancellationToken), cancellationToken)).ToList();
        var expected = new Dictionary<string, GroupDigests>(StringComparer.Ordinal); // one connection: one after the other
        foreach (var condition in parts.Where(p => !p.IsStray).Select(p => p.Condition).Distinct(StringComparer.Ordinal))
            expected.Add(condition ?? "", await primary.GroupsAsync(table, codecs, condition, options.Share, cancellationToken));
        var actual = parts.ConvertAll(_ => new GroupDigests());
        foreach (var shard in here)
        {
            var digests = (await shard).Parts;
            for (var i = 0; i < parts.Count; i++) actual[i].Add(digests[i]);
        }
        long rows = 0, differences = 0;
        var differing = new HashSet<long>();
        for (var i = 0; i < parts.Count; i++)
        {
            if (!parts[i].IsStray) rows = Math.Max(rows, actual[i].Rows);
            else differences += actual[i].Rows;
            if (parts[i].IsStray) continue;
            foreach (var groups in Batches(expected[parts[i].Condition ?? ""], actual[i]))
            {
                var counter = await CountAsync(parts[i], table, codecs, groups, cancellationToken);
                differences += counter.Count;
                if (differing.Count <= options.KeysMax) differing.UnionWith(counter.Keys);
            }
        }
        var verdict = new TableVerdict(table.ReplicaName, expected.Values.Max(e => e.Rows), rows, differences);
        if (differences == 0) return new TableComparison(table, verdict, [], IsWhole: true);
        if (!table.HasKey || differing.Count > options.KeysMax || !table.Key.All(k => codecs[k].RoundTrips)) return new TableComparison(table, verdict, [], IsWhole: false);
        var keys = await KeysAsync(parts, table, codecs, differing, cancellationToken);
        return new TableComparison(table, verdict, [.. keys], keys.Count <= options.KeysMax && keys.All(k => IsOfKind(table, codecs, k)))
        {
            Uncounted = await UncountedAsync(here, table),
            Values = options.ValuesMax == 0 ? [] : await ValuesAsync(parts, table, codecs, [.. differing.Take(options.ValuesMax)], cancellationToken),
        };
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var shard in shards) shard.Dispose();
        await primary.DisposeAsync();
    }

    private static ShardRows GroupsOf(
        ShardView shard, List<ShardPart> parts, TableSchema table, TypeCodec[] codecs, CancellationToken cancellationToken)
    {
        var groups = parts.ConvertAll(_ => new GroupDigests());
        var hasher = new RowHasher(table, codecs);
        long count = 0;
        shard.ReadRows(
            table,
            cells =>
            {
                count++;
                var (key, row) = hasher.Hash(cells);
                for (var i = 0; i < parts.Count; i++)
                    if (parts[i].Has(shard, cells)) groups[i].Add(key, row);
            },
            cancellationToken);
        return new ShardRows(shard, count, groups);
    }

    /// <summary>A shard's rows: how many, and their digests by part.</summary>
    private sealed record ShardRows(ShardView Shard, long Count, List<GroupDigests> Parts);

    private static async Task<Dictionary<string, long>> UncountedAsync(List<Task<ShardRows>> here, TableSchema table)
    {
        var uncounted = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var shard in here)
        {
            var rows = await shard;
            var delta = rows.Count - rows.Shard.CountedRows(table);
            if (delta != 0) uncounted.Add(rows.Shard.Id, delta);
        }
        return uncounted;
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

    private async Task<DifferenceCounter> CountAsync(ShardPart part, TableSchema table, TypeCodec[] codecs, int[] groups, CancellationToken cancellationToken)
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
        return counter;
    }

    /// <summary>The keys that hash to some, of both sides, and those of rows that are where none should be.</summary>
    private async Task<HashSet<byte[]>> KeysAsync(
        List<ShardPart> parts, TableSchema table, TypeCodec[] codecs, HashSet<long> hashes, CancellationToken cancellationToken)
    {
        var keys = new HashSet<byte[]>(KeyComparer.Instance);
        await primary.KeysAsync(table, codecs, [.. hashes], null, (_, key) => keys.Add(key), cancellationToken);
        var found = new ChangeBuffer(256);
        var hasher = new RowHasher(table, codecs);
        foreach (var shard in parts.SelectMany(p => p.Shards).Distinct())
        {
            shard.ReadRows(
                table,
                cells =>
                {
                    var isStray = false;
                    foreach (var part in parts) isStray |= part.IsStray && part.Has(shard, cells);
                    if (!isStray && !hashes.Contains(hasher.Hash(cells).Key)) return;
                    found.Clear();
                    RowCells.AppendKey(table, cells, found);
                    keys.Add(found.Written.ToArray());
                },
                cancellationToken);
        }
        return keys;
    }

    /// <summary>Rows of both sides.</summary>
    private async Task<IReadOnlyList<RowComparison>> ValuesAsync(
        List<ShardPart> parts, TableSchema table, TypeCodec[] codecs, HashSet<long> hashes, CancellationToken cancellationToken)
    {
        var there = new Dictionary<long, IReadOnlyDictionary<string, string?>>();
        var here = new Dictionary<long, IReadOnlyDictionary<string, string?>>();
        await primary.ValuesAsync(table, codecs, [.. hashes], null, (hash, row) => there[hash] = Named(table, row), cancellationToken);
        var hasher = new RowHasher(table, codecs);
        foreach (var shard in parts.SelectMany(p => p.Shards).Distinct())
        {
            shard.ReadRows(
                table,
                cells =>
                {
                    var hash = hasher.Hash(cells).Key;
                    if (hashes.Contains(hash)) here[hash] = Named(table, RowHasher.Canonical(codecs, cells));
                },
                cancellationToken);
        }
        return [.. hashes.Select(h => new RowComparison(there.GetValueOrDefault(h), here.GetValueOrDefault(h)))];
    }

    private static Dictionary<string, string?> Named(TableSchema table, string?[] row) =>
        table.Columns.Select((c, i) => (c.Name, Value: row[i])).ToDictionary(c => c.Name, c => c.Value, StringComparer.Ordinal);

    /// <summary>Whether every cell of a key is of the kind that its column stores: then it can be asked for.</summary>
    private static bool IsOfKind(TableSchema table, TypeCodec[] codecs, byte[] key)
    {
        ReadOnlySpan<byte> rest = key;
        foreach (var ordinal in table.Key)
        {
            var kind = Cell.Read(ref rest).Kind;
            var fits = codecs[ordinal].Storage switch
            {
                StorageClass.Integer => kind == CellKind.Integer,
                StorageClass.Text => kind == CellKind.Text,
                StorageClass.Blob => kind == CellKind.Blob,
                _ => kind is CellKind.Real or CellKind.Integer,
            };
            if (!fits) return false;
        }
        return true;
    }
}
