using System.Collections.Immutable;

namespace DbSync;

/// <summary>A column of a shard key.</summary>
/// <param name="Ordinal">Its ordinal in <see cref="TableSchema.Columns"/>.</param>
/// <param name="Name">Its name on the primary.</param>
/// <param name="Kind">How it is hashed.</param>
internal readonly record struct ShardKeyColumn(int Ordinal, string Name, HashKind Kind);

/// <summary>The columns that decide in which bucket a table's rows are, in key order: the order is part of the hash.</summary>
internal sealed class ShardKey
{
    /// <summary>PostgreSQL's limit on the columns of an index, and so of a replica identity, which has to hold the shard key.</summary>
    public const int ColumnsMax = 32;

    private readonly int _lastOrdinal;

    public ShardKey(string table, ImmutableArray<ShardKeyColumn> columns)
    {
        if (columns.Length is 0 or > ColumnsMax)
            throw new ArgumentException($"A shard key has 1 to {ColumnsMax} columns.", nameof(columns));
        Table = table;
        Columns = columns;
        _lastOrdinal = columns.Max(column => column.Ordinal);
    }

    public string Table { get; }

    public ImmutableArray<ShardKeyColumn> Columns { get; }

    /// <summary>The bucket of an encoded row (or of an old key that is laid out like one).</summary>
    /// <exception cref="DbSyncException">A key column is NULL, or the row doesn't carry it.</exception>
    public Bucket BucketOf(ReadOnlySpan<byte> encodedRow)
    {
        Span<ulong> hashes = stackalloc ulong[Columns.Length];
        for (var ordinal = 0; ordinal <= _lastOrdinal; ordinal++)
        {
            var cell = Cell.Read(ref encodedRow);
            for (var at = 0; at < hashes.Length; at++)
            {
                if (Columns[at].Ordinal == ordinal) hashes[at] = HashOf(Columns[at], cell);
            }
        }

        var hash = 0ul;
        foreach (var next in hashes) hash = PostgresHash.Combine(hash, next);
        return Bucket.OfHash(hash);
    }

    private ulong HashOf(ShardKeyColumn column, Cell cell) => cell.Kind switch
    {
        CellKind.Null => throw new DbSyncException(
            ErrorCodes.NullShardKey,
            $"A row of {Table} has NULL in {column.Name}, which is part of its shard key.",
            $"Delete or complete such rows and declare the column NOT NULL, or choose another shard key."),
        CellKind.Unchanged => throw new DbSyncException(
            ErrorCodes.MalformedStream,
            $"A change of {Table} doesn't carry {column.Name}, which is part of its shard key."),
        _ => PostgresHash.OfCell(column.Kind, cell),
    };
}
