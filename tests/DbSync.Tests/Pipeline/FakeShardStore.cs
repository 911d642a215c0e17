namespace DbSync.Tests.Pipeline;

/// <summary>A shard that keeps only positions, to see what the pipeline asks of one.</summary>
internal sealed class FakeShardStore(string name) : IShardStore
{
    private readonly List<Lsn> _pending = [];
    private bool _durable;

    /// <summary>Called for every row to be inserted.</summary>
    public Action OnInsert { get; set; } = () => { };

    /// <summary>The position of the last commit that was synced.</summary>
    public Lsn SyncedPosition { get; private set; }

    /// <summary>The positions that readers could see, in order.</summary>
    public List<Lsn> Visible { get; } = [];

    public List<Lsn> Journalled { get; } = [];

    public ShardId Id { get; } = new(name);

    public Lsn Position { get; set; }

    public long WalBytes => 0;

    public void Begin(bool durable) => _durable = durable;

    public bool TryBegin()
    {
        Begin(durable: false);
        return true;
    }

    public void Commit(Lsn position)
    {
        if (position != Position) Visible.Add(position);
        Position = position;
        _pending.Clear();
        if (_durable) SyncedPosition = position;
    }

    public void Rollback()
    {
        foreach (var _ in _pending) Journalled.RemoveAt(Journalled.Count - 1);
        _pending.Clear();
    }

    public void Journal(Lsn endLsn, uint xid)
    {
        Journalled.Add(endLsn);
        _pending.Add(endLsn);
    }

    public void Insert(TableSchema table, ref ReadOnlySpan<byte> row)
    {
        OnInsert();
        row = row[RowCells.SizeOf(row, table.Columns.Length)..];
    }

    public long InsertAll(TableSchema table, ReadOnlySpan<byte> rows, RowFilter? isHere)
    {
        var count = 0L;
        for (; !rows.IsEmpty; count++) Insert(table, ref rows);
        return count;
    }

    public int Update(TableSchema table, ReadOnlySpan<byte> row) => 1;

    public int Replace(TableSchema table, ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row) => 1;

    public int Delete(TableSchema table, ReadOnlySpan<byte> identity) => 1;

    public bool TryRead(TableSchema table, ReadOnlySpan<byte> key, ChangeBuffer target) => false;

    public void Truncate(TableSchema table)
    {
    }

    public ShardLayout? LoadLayout() => null;

    public IReadOnlyList<(TableId Table, BucketSet Buckets)> LoadArriving() => [];

    public void SaveArriving(TableId table, BucketSet? buckets)
    {
    }

    public IReadOnlyList<(TableId Table, BucketSet Buckets)> LoadLeaving() => [];

    public void SaveLeaving(TableId table, BucketSet? buckets)
    {
    }

    public byte[]? DeleteSome(TableSchema table, byte[]? after, int rowsMax, RowFilter isChosen) => null;

    public void SaveLayout(ShardLayout layout)
    {
    }

    public void SaveMoved(Lsn commit, TableSchema table, ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row)
    {
    }

    public byte[]? LoadMoved(Lsn commit, TableSchema table, ReadOnlySpan<byte> identity) => null;

    public bool ForgetMoved(Lsn before) => false;

    public List<TableRecord> Tables { get; } = [];

    public IReadOnlyList<TableRecord> LoadTables() => Tables;

    public IReadOnlyList<ChunkRecord> LoadChunks(TableId table) => [];

    public IReadOnlyList<ulong> LoadDroppedTransactions(TableId table) => [];

    public void CreateTable(TableRecord record) => Tables.Add(record);

    public void DropTable(TableId table) => Tables.RemoveAll(t => t.Schema.Id == table);

    public IReadOnlyList<(byte[] Key, TransactionSnapshot Snapshot)> LoadRows(TableId table) => [];

    public void SaveRow(TableId table, byte[] key, TransactionSnapshot snapshot)
    {
    }

    public void ForgetRows(TableId table)
    {
    }

    public void PutInPlace(TableSchema shadow)
    {
    }

    public void CreateIndexes(TableSchema table)
    {
    }

    public bool TryAlterTable(TableRecord record, TableChange change, ReadOnlySpan<byte> values) => true;

    public void SaveSchema(TableRecord record, bool withIndexes)
    {
    }

    public void SaveQuarantine(TableId table, Quarantine quarantine)
    {
    }

    public void SaveTable(TableRecord record)
    {
    }

    public void SaveChunks(TableId table, IReadOnlyList<ChunkRecord> chunks)
    {
    }

    public void SaveChunk(TableId table, ChunkRecord chunk)
    {
    }

    public void SaveDroppedTransaction(TableId table, ulong xid)
    {
    }

    public void ForgetDroppedTransactions(TableId table, ulong below)
    {
    }

    public void MarkPrimaryOnly(TableSchema table, int column)
    {
    }

    public bool CopyWalAside() => false;

    public void CorrectRows(TableSchema table, long delta)
    {
        // It counts nothing.
    }

    public void TruncateWal()
    {
    }

    public void Dispose()
    {
    }
}
