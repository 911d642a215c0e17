
namespace DbSync.Sqlite;

/// <summary>One shard: a SQLite file in WAL mode with the replicated tables and what the shard knows about itself.</summary>
internal sealed class ShardFile : IShardStore
{
    /// <summary>Set to 1 to keep a journal of every transaction applied, as the crash tests do.</summary>
    public const string JournalVariable = "DBSYNC_JOURNAL";

    private const long AsideBytesMin = 8L << 20;

    private readonly SqliteDatabase _database;
    private readonly WalCopier _copier;
    private readonly ShardMetadata _metadata;
    private readonly Dictionary<TableSchema, TableWriter> _writers = new(ReferenceEqualityComparer.Instance);
    private readonly bool _journal = Environment.GetEnvironmentVariable(JournalVariable) == "1";
    private readonly int _pageBytes;
    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _commit;
    private readonly HashSet<(TableId, int)> _primaryOnly = [];
    private TableWriter? _writer;
    private bool? _synced;

    /// <param name="path">The file; its directory exists.</param>
    /// <param name="identity">Whose file this is.</param>
    /// <param name="valueBytesMax">The largest value and the largest row, in bytes; SQLite's own limit unless given.</param>
    /// <exception cref="DbSyncException">DBS4001 damaged, DBS4002 written by a newer version, DBS4005 another shard's file.</exception>
    public ShardFile(string path, ShardIdentity identity, int? valueBytesMax = null)
    {
        Id = identity.Shard;
        if (!File.Exists(path)) CreatePrivate(path);
        _database = new SqliteDatabase(path, Path.GetFileName(path));
        _copier = new WalCopier(path);
        try
        {
            _database.Execute("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA cache_size = -65536");
            _database.Execute("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = OFF");
            SqliteCollations.RegisterBuiltIn(_database.Handle);
            if (valueBytesMax is { } limit) _ = SqliteApi.Limit(_database.Handle, SqliteApi.LimitLength, limit);
            ShardMigrations.Apply(_database, Path.GetFileName(path));
            _metadata = new ShardMetadata(_database);
            Position = _metadata.Claim(identity);
            foreach (var (collation, labels) in _metadata.LoadEnums()) SqliteCollations.RegisterEnum(_database.Handle, collation, labels);
            _pageBytes = (int)_database.QueryInteger("PRAGMA page_size");
            _begin = _database.Prepare("BEGIN IMMEDIATE");
            _commit = _database.Prepare("COMMIT");
        }
        catch
        {
            _database.Dispose();
            throw;
        }
    }

    public ShardId Id { get; }

    public Lsn Position { get; private set; }

    public long WalBytes => (long)_database.WalPages * _pageBytes;

    public void Begin(bool durable)
    {
        Synchronise(durable);
        _begin.Run();
    }

    public bool TryBegin()
    {
        Synchronise(false);
        return _begin.TryRunNow();
    }

    private void Synchronise(bool durable)
    {
        if (_synced != durable) _database.Execute(durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
        _synced = durable;
    }

    public void Commit(Lsn position)
    {
        CountRows();
        _metadata.SavePosition(position);
        _commit.Run();
        Position = position;
    }

    public void Rollback()
    {
        _database.Execute("ROLLBACK");
        _primaryOnly.Clear();
        ForgetWriters();
        _metadata.ReloadRows();
    }

    public void Journal(Lsn endLsn, uint xid)
    {
        if (_journal) _metadata.Journal(endLsn, xid);
    }

    public void Insert(TableSchema table, ref ReadOnlySpan<byte> row)
    {
        var before = row;
        bool inserted;
        try
        {
            inserted = Writer(table).Insert(ref row);
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
        {
            throw Unstorable(table, before[..RowCells.SizeOf(before, table.Columns.Length)], exception);
        }
        if (!inserted) throw IsThere(table);
    }

    public long InsertAll(TableSchema table, ReadOnlySpan<byte> rows, RowFilter? isHere)
    {
        try
        {
            var count = Writer(table).InsertAll(rows, isHere);
            return count >= 0 ? count : throw IsThere(table);
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
        {
            throw Unstorable(table, rows, exception);
        }
    }

    public int Update(TableSchema table, ReadOnlySpan<byte> row)
    {
        try
        {
            return Writer(table).Update(row);
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
        {
            throw Unstorable(table, row, exception);
        }
    }

    public int Replace(TableSchema table, ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row)
    {
        try
        {
            return Writer(table).Replace(identity, row);
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
        {
            throw Unstorable(table, row, exception);
        }
    }

    public int Delete(TableSchema table, ReadOnlySpan<byte> identity) => Writer(table).Delete(identity);

    public bool TryRead(TableSchema table, ReadOnlySpan<byte> key, ChangeBuffer target) => Writer(table).TryRead(key, target);

    public void Truncate(TableSchema table)
    {
        _database.Execute($"DELETE FROM {SqlName.Quote(table.ReplicaName)}");
        Writer(table).RowDelta = 0;
        _metadata.ClearRows(table.Id);
    }

    public ShardLayout? LoadLayout() => _metadata.LoadLayout();

    public void SaveLayout(ShardLayout layout) => _metadata.SaveLayout(layout.ToRow());

    public IReadOnlyList<(TableId Table, BucketSet Buckets)> LoadArriving() => _metadata.LoadArriving();

    public void SaveArriving(TableId table, BucketSet? buckets) => _metadata.SaveArriving(table, buckets);

    public IReadOnlyList<(TableId Table, BucketSet Buckets)> LoadLeaving() => _metadata.LoadLeaving();

    public void SaveLeaving(TableId table, BucketSet? buckets) => _metadata.SaveLeaving(table, buckets);

    public byte[]? DeleteSome(TableSchema table, byte[]? after, int rowsMax, RowFilter isChosen)
    {
        var writer = Writer(table);
        var page = new RowPage(_database, table);
        var last = page.Read(after, rowsMax);
        foreach (var identity in page.Identities)
            if (isChosen(identity)) writer.Delete(identity);
        return last;
    }

    public void SaveMoved(Lsn commit, TableSchema table, ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row) =>
        _metadata.SaveMoved(commit, table.Id, identity, row);

    public byte[]? LoadMoved(Lsn commit, TableSchema table, ReadOnlySpan<byte> identity) => _metadata.LoadMoved(commit, table.Id, identity);

    public bool ForgetMoved(Lsn before) => _metadata.ForgetMoved(before);

    public IReadOnlyList<TableRecord> LoadTables() => _metadata.LoadTables();

    public IReadOnlyList<ChunkRecord> LoadChunks(TableId table) => _metadata.LoadChunks(table);

    public IReadOnlyList<ulong> LoadDroppedTransactions(TableId table) => _metadata.LoadDropped(table);

    public void CreateTable(TableRecord record)
    {
        ForgetWriters(); // a statement that is still prepared would keep the old table from being dropped
        foreach (var old in _metadata.NamesOf(record.Schema)) _database.Execute($"DROP TABLE IF EXISTS {SqlName.Quote(old)}");
        _metadata.Forget(record.Schema);
        _primaryOnly.Clear();
        SaveEnums(record.Schema);
        _database.Execute(ReplicaTable.CreateSql(record.Schema));
        _metadata.Insert(record);
        Failpoint.Hit(Failpoint.AfterTableCreated);
    }

    public void DropTable(TableId table)
    {
        ForgetWriters();
        foreach (var record in _metadata.LoadTables().Where(r => r.Schema.Id == table))
        {
            _database.Execute($"DROP TABLE IF EXISTS {SqlName.Quote(record.Schema.ReplicaName)}");
            _metadata.Forget(record.Schema);
        }
    }

    public void PutInPlace(TableSchema shadow)
    {
        ForgetWriters();
        var original = shadow with { Id = shadow.Id.Original };
        _database.Execute($"DROP TABLE IF EXISTS {SqlName.Quote(original.ReplicaName)}");
        _database.Execute($"ALTER TABLE {SqlName.Quote(shadow.ReplicaName)} RENAME TO {SqlName.Quote(original.ReplicaName)}");
        _metadata.Rename(shadow, original);
        _primaryOnly.Clear();
    }

    public void CreateIndexes(TableSchema table) => TableIndexes.Match(_database, table);

    public bool TryAlterTable(TableRecord record, TableChange change, ReadOnlySpan<byte> values)
    {
        ForgetWriters();
        _database.Execute("SAVEPOINT altering");
        try
        {
            var reshaper = new TableReshaper(_database, change);
            reshaper.Relabel();
            SaveEnums(record.Schema);
            reshaper.Reshape(values);
            _metadata.SaveSchema(record, change);
            _primaryOnly.Clear();
            _database.Execute("RELEASE altering");
            return true;
        }
        catch (DbSyncException exception) when (exception.Code == ErrorCodes.StorageFailed)
        {
            _database.Execute("ROLLBACK TO altering; RELEASE altering"); // a full disk comes back with what is done instead
            return false;
        }
    }

    public void SaveSchema(TableRecord record, bool withIndexes)
    {
        ForgetWriters();
        SaveEnums(record.Schema);
        if (withIndexes) TableIndexes.Match(_database, record.Schema);
        _metadata.SaveSchema(record, null);
    }

    public void SaveQuarantine(TableId table, Quarantine quarantine) => _metadata.SaveQuarantine(table, quarantine);

    public void SaveTable(TableRecord record) => _metadata.Update(record);

    public void SaveChunks(TableId table, IReadOnlyList<ChunkRecord> chunks) => _metadata.ReplaceChunks(table, chunks);

    public void SaveChunk(TableId table, ChunkRecord chunk) => _metadata.SaveChunk(table, chunk);

    public void SaveDroppedTransaction(TableId table, ulong xid) => _metadata.SaveDropped(table, xid);

    public void ForgetDroppedTransactions(TableId table, ulong below) => _metadata.ForgetDropped(table, below);

    public IReadOnlyList<(byte[] Key, TransactionSnapshot Snapshot)> LoadRows(TableId table) => _metadata.LoadRows(table);

    public void SaveRow(TableId table, byte[] key, TransactionSnapshot snapshot) => _metadata.SaveRow(table, key, snapshot);

    public void ForgetRows(TableId table) => _metadata.ForgetRows(table);

    public void MarkPrimaryOnly(TableSchema table, int column)
    {
        if (_primaryOnly.Add((table.Id, column))) _metadata.MarkPrimaryOnly(table.Id, table.Columns[column].Name);
    }

    public void CorrectRows(TableSchema table, long delta) => _metadata.AddRows(table.Id, delta);

    public void TruncateWal()
    {
        _copier.Wait();
        _database.CopyBackWal();
    }

    public bool CopyWalAside()
    {
        if (_copier.IsRunning) return true;
        var pages = _database.WalPages;
        var left = _copier.CopiedPages <= pages ? pages - _copier.CopiedPages : pages;
        if ((long)left * _pageBytes < AsideBytesMin) return false;
        _copier.Start();
        return true;
    }

    public void Dispose()
    {
        _copier.Dispose();
        ForgetWriters();
        _metadata.Dispose();
        _begin.Dispose();
        _commit.Dispose();
        _database.Dispose();
    }

    /// <summary>The largest value of the rows is the one that is too large, or makes its row so.</summary>
    private UnstorableValueException Unstorable(TableSchema table, ReadOnlySpan<byte> rows, DbSyncException cause)
    {
        Writer(table).Reset();
        return new UnstorableValueException(table.Columns[RowCells.Largest(rows) % table.Columns.Length].Name, cause);
    }

    private DbSyncException IsThere(TableSchema table) => new(
        ErrorCodes.Diverged,
        $"Shard '{Id}': a row to be inserted into {table} is there already.",
        "The shard has stopped with nothing lost. Run 'dbsync verify --repair' or copy the table again with 'dbsync resync'.");

    private TableWriter Writer(TableSchema table)
    {
        if (_writer is not null && ReferenceEquals(_writer.Table, table)) return _writer;
        if (!_writers.TryGetValue(table, out _writer)) _writers.Add(table, _writer = new TableWriter(_database, table));
        return _writer;
    }

    private void SaveEnums(TableSchema table)
    {
        foreach (var labels in table.Enums)
        {
            _metadata.SaveEnum(labels);
            SqliteCollations.RegisterEnum(_database.Handle, labels.Collation, labels.Labels);
        }
    }

    private void CountRows()
    {
        foreach (var writer in _writers.Values)
        {
            if (writer.RowDelta != 0) _metadata.AddRows(writer.Table.Id, writer.RowDelta);
            writer.RowDelta = 0;
        }
    }

    private void ForgetWriters()
    {
        CountRows();
        foreach (var writer in _writers.Values)
        {
            writer.Dispose();
        }
        _writers.Clear();
        _writer = null;
    }

    /// <summary>Creates the file readable by its owner only, whatever the umask; SQLite gives its companions the same mode.</summary>
    public static void CreatePrivate(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var created = new FileStream(path, options);
    }
}

/// <summary>Whose file a shard file is.</summary>
internal sealed record ShardIdentity(string Replica, string Node, ShardId Shard);
