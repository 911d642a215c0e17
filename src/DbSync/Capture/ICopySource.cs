namespace DbSync;

/// <summary>The primary's tables as the initial copy reads them.</summary>
internal interface ICopySource
{
    /// <summary>Cuts a table into key ranges of roughly <paramref name="chunkBytes"/> each.</summary>
    /// <returns>The keys at which one chunk ends and the next begins, in key order; empty for a table that is one chunk.</returns>
    Task<IReadOnlyList<ChunkBound>> PlanAsync(TableSchema table, long chunkBytes, CancellationToken cancellationToken);

    /// <summary>Says in which chunk each key is, where only the primary knows the keys' order.</summary>
    /// <param name="table">The table.</param>
    /// <param name="bounds">Where one chunk ends and the next begins, in key order.</param>
    /// <param name="keys">The keys' cells.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    Task<int[]> FindChunksAsync(TableSchema table, IReadOnlyList<ChunkBound> bounds, IReadOnlyList<byte[]> keys, CancellationToken cancellationToken);

    /// <summary>Reads one row as it is now, as a chunk of its own.</summary>
    /// <exception cref="ChunkNotReadyException">The snapshot does not see <paramref name="seen"/> yet, or the table has another shape by now.</exception>
    Task<RowNow> ReadRowAsync(TableSchema table, byte[] key, ulong seen, CancellationToken cancellationToken);

    /// <summary>Reads rows by their keys as a snapshot sees them, for which the table was locked.</summary>
    /// <param name="table">The table as the shards store it.</param>
    /// <param name="keys">The cells of the keys.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="rows">Receives the rows that there are.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DbSyncException">DBS5003 when the table has another shape by now.</exception>
    Task ReadRowsAsync(TableSchema table, IReadOnlyList<byte[]> keys, ISharedSnapshot snapshot, ChunkRows rows, CancellationToken cancellationToken);

    /// <summary>A transaction id newer than all that have been given out: whatever ran until now is below it.</summary>
    Task<ulong> NextTransactionAsync(CancellationToken cancellationToken);

    /// <summary>The present snapshot: every later look at the primary sees at least what it sees.</summary>
    Task<TransactionSnapshot> SnapshotAsync(CancellationToken cancellationToken);

    /// <summary>The position up to which the primary's log has been written now.</summary>
    Task<Lsn> InsertPositionAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Reads one chunk in a transaction of its own: lock the table, call <paramref name="locked"/>, take the snapshot, check it, read.
    /// </summary>
    /// <param name="table">The table as the shards store it.</param>
    /// <param name="chunk">The range to read.</param>
    /// <param name="locked">Called between the lock and the snapshot; returns what the snapshot has to see.</param>
    /// <param name="rows">Receives the rows, cell by cell in column order.</param>
    /// <param name="cancellationToken">Ends the transaction.</param>
    /// <exception cref="ChunkNotReadyException">The snapshot does not see enough yet, or the table has another shape by now.</exception>
    Task<TransactionSnapshot> ReadChunkAsync(
        TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows, CancellationToken cancellationToken);
}

/// <summary>A row as the primary had it.</summary>
/// <param name="Snapshot">The snapshot that it was read with.</param>
/// <param name="Cells">Its cells; null when there was none with the key.</param>
/// <param name="InsertedUpTo">The insert position, read after the snapshot.</param>
internal sealed record RowNow(TransactionSnapshot Snapshot, byte[]? Cells, Lsn InsertedUpTo);

/// <summary>What a chunk's snapshot has to see to be usable.</summary>
/// <param name="Horizon">Every transaction below this id has to have ended.</param>
/// <param name="Seen">Transactions whose changes were dropped because this copy will bring them.</param>
internal sealed record SnapshotDemand(ulong Horizon, IReadOnlyCollection<ulong> Seen);

/// <summary>The rows of one chunk: cells of one row after another, in buffers of bounded size that serve the next chunk again.</summary>
internal sealed class ChunkRows
{
    private const int FullBytes = 1 << 20; // a shard answers questions between two buffers
    private const int BufferBytes = FullBytes * 3 / 2;
    private readonly List<ChangeBuffer> _buffers = [];
    private int _used;

    public IEnumerable<ChangeBuffer> Buffers => _buffers.Take(_used);

    public long Count { get; set; }

    /// <summary>The table's description as the rows' snapshot sees it; null when nothing was read.</summary>
    public TableSchema? Shape { get; set; }

    /// <summary>For each row its shards, as bits; empty when all rows go to all shards.</summary>
    public List<ulong> Places { get; } = [];

    /// <summary>Finds each row's shards, once for all of them.</summary>
    public void Place(TableSchema table, IRowPlacement placement)
    {
        var identity = new ChangeBuffer(256);
        foreach (var buffer in Buffers)
        {
            var rest = buffer.Written;
            while (!rest.IsEmpty)
            {
                var row = rest[..RowCells.SizeOf(rest, table.Columns.Length)];
                identity.Clear();
                if (table.HasKey) RowCells.AppendKey(table, row, identity);
                else identity.Append(row);
                Places.Add(placement.ShardsOf(table, identity.Written));
                rest = rest[row.Length..];
            }
        }
    }

    /// <summary>Ordinals of columns with a value that was kept as PostgreSQL's text.</summary>
    public HashSet<int> KeptAsText { get; } = [];

    /// <summary>The buffer that takes the next row.</summary>
    public ChangeBuffer Current()
    {
        if (_used > 0 && _buffers[_used - 1].Length < FullBytes) return _buffers[_used - 1];
        if (_used == _buffers.Count) _buffers.Add(new ChangeBuffer(BufferBytes));
        return _buffers[_used++];
    }

    /// <summary>The buffer that took the last row.</summary>
    public ChangeBuffer Last => _buffers[_used - 1];

    /// <summary>Empty again; buffers that grew for a giant row are let go.</summary>
    public void Clear()
    {
        _buffers.RemoveAll(b => b.Capacity > 2 * BufferBytes);
        foreach (var buffer in _buffers) buffer.Clear();
        (_used, Count, Shape) = (0, 0, null);
        KeptAsText.Clear();
        Places.Clear();
    }
}

/// <summary>A chunk can't be read usefully now. Nothing was read; try again.</summary>
internal sealed class ChunkNotReadyException(string reason, TableSchema? changedTo = null, bool isGone = false) : Exception(reason)
{
    /// <summary>True when the table is no longer there or no longer published.</summary>
    public bool IsGone { get; } = isGone;

    /// <summary>The table's new shape, when that is the reason.</summary>
    public TableSchema? ChangedTo { get; } = changedTo;
}
