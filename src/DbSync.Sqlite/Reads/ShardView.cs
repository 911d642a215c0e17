namespace DbSync.Sqlite;

/// <summary>A shard file, opened for reading beside the process that writes it.</summary>
internal sealed class ShardView : IDisposable
{
    private readonly SqliteDatabase _database;
    private readonly string _path;

    /// <param name="directory">The data directory.</param>
    /// <param name="shard">The shard and its file.</param>
    /// <exception cref="DbSyncException">DBS4004 when the file can't be opened.</exception>
    public ShardView(string directory, NodeFile.Shard shard)
    {
        Id = shard.Id;
        FileName = shard.File;
        _path = Path.Combine(directory, shard.File);
        _database = new SqliteDatabase(_path, shard.File, readOnly: true);

        // Even a plain SELECT needs them: without its columns' collations SQLite can't use the key, which is all that such a table has.
        SqliteCollations.RegisterBuiltIn(_database.Handle);
        if (!HasMetadata) return;
        using var metadata = new ShardMetadata(_database);
        foreach (var (collation, labels) in metadata.LoadEnums()) SqliteCollations.RegisterEnum(_database.Handle, collation, labels);
    }

    public string Id { get; }

    public string FileName { get; }

    public SqliteDatabase Database => _database;

    /// <summary>The bytes of the file and of its write-ahead log.</summary>
    public long Bytes => new[] { _path, _path + "-wal" }.Select(p => new FileInfo(p)).Where(f => f.Exists).Sum(f => f.Length);

    /// <summary>Everything read from now on, until disposed, is the shard as it stands now; returns its position.</summary>
    public Lsn BeginSnapshot()
    {
        _database.Execute("BEGIN");
        return Position;
    }

    /// <summary>Copies the shard, as the snapshot that was begun shows it, into a file of its own that nobody but its owner can read.</summary>
    /// <param name="path">The file; there must be none of this name.</param>
    /// <param name="cancellationToken">Ends it; what is there of the file then is worth nothing.</param>
    public void CopyTo(string path, CancellationToken cancellationToken)
    {
        const int PagesAtOnce = 512;
        ShardFile.CreatePrivate(path);
        using var target = new SqliteDatabase(path, Path.GetFileName(path));
        target.Execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF"); // it is synced as a whole, before it counts
        var backup = SqliteApi.BackupInit(target.Handle, "main", _database.Handle, "main");
        if (backup == 0) throw target.Failure(SqliteApi.ExtendedErrorCode(target.Handle));
        int result;
        try
        {
            while ((result = SqliteApi.BackupStep(backup, PagesAtOnce)) == SqliteApi.Ok) cancellationToken.ThrowIfCancellationRequested();
        }
        finally
        {
            _ = SqliteApi.BackupFinish(backup);
        }
        target.Check(result);
    }

    public void EndSnapshot() => _database.Execute("COMMIT");

    /// <summary>The position of the rows; zero while the file is still being made.</summary>
    public Lsn Position => HasMetadata ? new Lsn((ulong)_database.QueryInteger("SELECT applied_lsn FROM \"dbsync.shard\"")) : Lsn.Zero;

    /// <summary>The shard layout that holds at the shard's position; null when the replica is not sharded.</summary>
    public ShardLayout? Layout()
    {
        if (!HasMetadata) return null;
        using var metadata = new ShardMetadata(_database);
        return metadata.LoadLayout();
    }

    /// <summary>The buckets of which the shard takes every change of a table and has every row, although it doesn't own them; null for none.</summary>
    public BucketSet? BesidesOf(TableSchema table) => Layout()?.Motion?.HeldBesides(new ShardId(Id)) is { } besides && !Buckets(m => m.LoadArriving()).ContainsKey(table.Id) ? besides : null;

    /// <summary>The buckets of which a table may have rows that don't belong here any more; null for none.</summary>
    public BucketSet? LeavingOf(TableSchema table) => Buckets(m => m.LoadLeaving()).GetValueOrDefault(table.Id);

    /// <summary>How many tables are about to get buckets that are being copied.</summary>
    public int ArrivingTables => Buckets(m => m.LoadArriving()).Count;

    /// <summary>How many tables have rows that are to be deleted, since their buckets belong elsewhere.</summary>
    public int LeavingTables => Buckets(m => m.LoadLeaving()).Count;

    private Dictionary<TableId, BucketSet> Buckets(Func<ShardMetadata, List<(TableId Table, BucketSet Buckets)>> of)
    {
        if (!HasMetadata || _database.QueryInteger("SELECT count(*) FROM sqlite_schema WHERE name = 'dbsync.arriving'") == 0) return []; // a file from before there were any
        using var metadata = new ShardMetadata(_database);
        return of(metadata).ToDictionary(b => b.Table, b => b.Buckets);
    }

    /// <summary>How far each table has come, DbSync's own left out.</summary>
    /// <param name="shadows">Whether it is asked for the copies beside the tables, each under its table's name.</param>
    public IReadOnlyList<TableProgress> Progress(bool shadows = false)
    {
        var tables = new List<TableProgress>();
        if (!HasMetadata) return tables;
        using var metadata = new ShardMetadata(_database);
        metadata.ReloadRows();
        using var rows = _database.Prepare(
            """
            SELECT coalesce(original.name, t.name) AS name, t.state, t.oid, count(c.number) + t.chunks, count(c.snapshot) + t.chunks, q.lsn, q."column", q.reason
            FROM "dbsync.table" AS t LEFT JOIN "dbsync.chunk" AS c ON c.table_oid = t.oid
            LEFT JOIN "dbsync.table" AS original ON original.oid = t.oid - 4294967296
            LEFT JOIN "dbsync.quarantine" AS q ON q.table_oid = t.oid
            WHERE (t.oid >= 4294967296) = ? AND (t.oid >= 4294967296 OR t.name NOT LIKE 'dbsync.%') GROUP BY t.oid ORDER BY name
            """).Bind(1, shadows ? 1 : 0);
        while (rows.Step())
            tables.Add(new TableProgress(rows.Text(0), (TableState)rows.Integer(1), metadata.RowsOf(rows.Integer(2)), (int)rows.Integer(4), (int)rows.Integer(3),
                rows.IsNull(5) ? null : new Quarantine(rows.IsNull(6) ? null : rows.Text(6), new Lsn((ulong)rows.Integer(5)), rows.Text(7))));
        return tables;
    }

    /// <summary>How many rows the shard says that a table has.</summary>
    public long CountedRows(TableSchema table)
    {
        using var metadata = new ShardMetadata(_database);
        metadata.ReloadRows();
        return metadata.RowsOf(table.Id.Key);
    }

    /// <summary>The tables as the shard stores them, DbSync's own left out.</summary>
    public IReadOnlyList<TableRecord> Tables()
    {
        if (!HasMetadata) return [];
        using var metadata = new ShardMetadata(_database);
        return [.. metadata.LoadTables().Where(t => !t.Schema.IsControl && !t.Schema.Id.IsShadow)];
    }

    /// <summary>Gives the cells of every row of a table, in column order. The span is valid during the call.</summary>
    public void ReadRows(TableSchema table, Action<ReadOnlySpan<byte>> row, CancellationToken cancellationToken)
    {
        const int RowsBetweenLooks = 4096;
        using var statement = _database.Prepare($"SELECT {SqlName.List(table.Columns.Select(c => c.Name))} FROM {SqlName.Quote(table.ReplicaName)}");
        var cells = new ChangeBuffer(4096);
        for (long read = 1; statement.Step(); read++)
        {
            cells.Clear();
            for (var i = 0; i < table.Columns.Length; i++) statement.AppendCell(i, cells);
            row(cells.Written);
            if (read % RowsBetweenLooks == 0) cancellationToken.ThrowIfCancellationRequested();
        }
    }

    public void Dispose() => _database.Dispose();

    private bool HasMetadata => _database.QueryInteger("SELECT count(*) FROM sqlite_schema WHERE name = 'dbsync.table'") != 0;
}

/// <summary>How far a shard's copy of a table has come.</summary>
internal sealed record TableProgress(string Name, TableState State, long Rows, int ChunksDone, int Chunks, Quarantine? Quarantine);
