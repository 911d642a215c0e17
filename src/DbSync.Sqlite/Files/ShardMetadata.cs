using System.Collections.Immutable;
using System.Text.Json;

namespace DbSync.Sqlite;

/// <summary>Reads and writes a shard file's own tables (<c>migrations/sqlite</c>).</summary>
internal sealed class ShardMetadata(SqliteDatabase database) : IDisposable
{
    /// <summary>The buckets of which a table may have rows that don't belong here any more.</summary>
    public const string LeavingName = "dbsync.leaving";

    private static readonly string[] PerTable = ["dbsync.chunk", "dbsync.dropped", "dbsync.row", "dbsync.primary_only", "dbsync.quarantine", "dbsync.arriving"];
    private readonly Dictionary<string, SqliteStatement> _statements = [];
    private readonly RowCounts _rows = new();

    /// <summary>Makes the file this shard's, or checks that it is; returns its position.</summary>
    public Lsn Claim(ShardIdentity identity)
    {
        Prepared("INSERT OR IGNORE INTO \"dbsync.shard\" (id, replica, node, shard, applied_lsn, commits) VALUES (1, ?, ?, ?, 0, 0)")
            .Bind(1, identity.Replica).Bind(2, identity.Node).Bind(3, identity.Shard.Name).Run();
        using var row = database.Prepare("SELECT replica, node, shard, applied_lsn FROM \"dbsync.shard\"");
        row.Step();
        if ((row.Text(0), row.Text(1), row.Text(2)) != (identity.Replica, identity.Node, identity.Shard.Name))
            throw new DbSyncException(
                ErrorCodes.ShardFileMismatch,
                $"The file is shard '{row.Text(2)}' of replica '{row.Text(0)}', and shard '{identity.Shard}' of '{identity.Replica}' was looked for.",
                "Put back the right file, or copy the shard again with 'dbsync resync'.");
        ReloadRows();
        return new Lsn((ulong)row.Integer(3));
    }

    /// <summary>Reads the counts as they stand in the file, at the beginning and after a rollback.</summary>
    public void ReloadRows()
    {
        var row = Prepared("SELECT row_counts FROM \"dbsync.shard\" WHERE id = 1");
        row.Step();
        _rows.Read(row.Bytes(0));
        row.Reset();
    }

    public long RowsOf(long table) => _rows[table];

    public void SavePosition(Lsn position)
    {
        if (!_rows.HasChanged)
        {
            Prepared("UPDATE \"dbsync.shard\" SET applied_lsn = ?, commits = commits + 1 WHERE id = 1").Bind(1, (long)position.Value).Run();
            return;
        }
        var update = Prepared("UPDATE \"dbsync.shard\" SET applied_lsn = ?, commits = commits + 1, row_counts = ? WHERE id = 1");
        update.Bind(1, (long)position.Value).Bind(2, _rows.Write());
        update.Run();
    }

    public void Journal(Lsn endLsn, uint xid) =>
        Prepared("INSERT INTO \"dbsync.journal\" (end_lsn, xid) VALUES (?, ?)").Bind(1, (long)endLsn.Value).Bind(2, xid).Run();

    public List<TableRecord> LoadTables()
    {
        var tables = new List<TableRecord>();
        var rows = Prepared("SELECT schema, state, planned, readable_from, chunks FROM \"dbsync.table\" ORDER BY oid");
        while (rows.Step())
        {
            var schema = JsonSerializer.Deserialize<TableSchema>(rows.Bytes(0))!;
            tables.Add(new TableRecord(schema, (TableState)rows.Integer(1), rows.Integer(2) != 0, new Lsn((ulong)rows.Integer(3)), (int)rows.Integer(4)));
        }
        return tables;
    }

    public void Insert(TableRecord record) =>
        Prepared("INSERT INTO \"dbsync.table\" (oid, name, schema, state, planned, readable_from) VALUES (?, ?, ?, ?, ?, ?)")
            .Bind(1, record.Schema.Id.Key)
            .Bind(2, record.Schema.ReplicaName)
            .Bind(3, JsonSerializer.Serialize(record.Schema))
            .Bind(4, (long)record.State)
            .Bind(5, record.Planned ? 1 : 0)
            .Bind(6, (long)record.ReadableFrom.Value)
            .Run();

    public void Update(TableRecord record) =>
        Prepared("UPDATE \"dbsync.table\" SET state = ?, planned = ?, readable_from = ?, chunks = ? WHERE oid = ?")
            .Bind(1, (long)record.State)
            .Bind(2, record.Planned ? 1 : 0)
            .Bind(3, (long)record.ReadableFrom.Value)
            .Bind(4, record.ChunksCopied)
            .Bind(5, record.Schema.Id.Key)
            .Run();

    /// <summary>Records a table's new description, and moves the marks of columns along with their names.</summary>
    public void SaveSchema(TableRecord record, TableChange? change)
    {
        Prepared("UPDATE \"dbsync.table\" SET name = ?, schema = ? WHERE oid = ?")
            .Bind(1, record.Schema.ReplicaName).Bind(2, JsonSerializer.Serialize(record.Schema)).Bind(3, record.Schema.Id.Key).Run();
        CountSchemaChange();
        if (change is null) return;
        var marked = new List<string>();
        var rows = Prepared("SELECT \"column\" FROM \"dbsync.primary_only\" WHERE table_oid = ?").Bind(1, record.Schema.Id.Key);
        while (rows.Step()) marked.Add(rows.Text(0));
        if (marked.Count == 0) return;
        Prepared("DELETE FROM \"dbsync.primary_only\" WHERE table_oid = ?").Bind(1, record.Schema.Id.Key).Run();
        for (var i = 0; i < change.Origins.Length; i++)
            if (change.Origins[i] >= 0 && marked.Contains(change.From.Columns[change.Origins[i]].Name)) MarkPrimaryOnly(record.Schema.Id, change.To.Columns[i].Name);
    }

    public void SaveQuarantine(TableId table, Quarantine quarantine)
    {
        Prepared("INSERT OR REPLACE INTO \"dbsync.quarantine\" VALUES (?, ?, ?, ?)")
            .Bind(1, table.Key).Bind(2, quarantine.Column).Bind(3, (long)quarantine.Position.Value).Bind(4, quarantine.Reason).Run();
        CountSchemaChange();
    }

    public void AddRows(TableId table, long delta) => _rows.Add(table, delta);

    public void ClearRows(TableId table) => _rows.Clear(table);

    /// <summary>The names of tables that a table of this id or name has in the file now.</summary>
    public List<string> NamesOf(TableSchema schema)
    {
        var names = new List<string>();
        var rows = Prepared("SELECT name FROM \"dbsync.table\" WHERE oid = ? OR name = ?").Bind(1, schema.Id.Key).Bind(2, schema.ReplicaName);
        while (rows.Step()) names.Add(rows.Text(0));
        return names;
    }

    /// <summary>Forgets every table with this id or this name.</summary>
    public void Forget(TableSchema schema)
    {
        foreach (var child in PerTable)
            Prepared($"DELETE FROM {SqlName.Quote(child)} WHERE table_oid IN (SELECT oid FROM \"dbsync.table\" WHERE oid = ? OR name = ?)")
                .Bind(1, schema.Id.Key).Bind(2, schema.ReplicaName).Run();
        var gone = Prepared("SELECT oid FROM \"dbsync.table\" WHERE oid = ? OR name = ?").Bind(1, schema.Id.Key).Bind(2, schema.ReplicaName);
        while (gone.Step()) _rows.Forget(gone.Integer(0));
        Prepared("DELETE FROM \"dbsync.table\" WHERE oid = ? OR name = ?").Bind(1, schema.Id.Key).Bind(2, schema.ReplicaName).Run();
    }

    /// <summary>What is known of a shadow is known of its original from now on.</summary>
    public void Rename(TableSchema shadow, TableSchema original)
    {
        Forget(original);
        _rows.Rename(shadow.Id, original.Id);
        foreach (var child in PerTable)
            Prepared($"UPDATE {SqlName.Quote(child)} SET table_oid = ? WHERE table_oid = ?").Bind(1, original.Id.Key).Bind(2, shadow.Id.Key).Run();
        Prepared("UPDATE \"dbsync.table\" SET oid = ?, name = ?, schema = ? WHERE oid = ?")
            .Bind(1, original.Id.Key).Bind(2, original.ReplicaName).Bind(3, JsonSerializer.Serialize(original)).Bind(4, shadow.Id.Key).Run();
    }

    public List<ChunkRecord> LoadChunks(TableId table)
    {
        var chunks = new List<ChunkRecord>();
        var rows = Prepared(
            "SELECT number, lower_literals, lower_cells, upper_literals, upper_cells, snapshot, rows FROM \"dbsync.chunk\" WHERE table_oid = ? ORDER BY number")
            .Bind(1, table.Key);
        while (rows.Step())
            chunks.Add(new ChunkRecord(
                (int)rows.Integer(0), Bound(rows, 1), Bound(rows, 3), rows.IsNull(5) ? null : TransactionSnapshot.Parse(rows.Text(5)), rows.Integer(6)));
        return chunks;
    }

    public void ReplaceChunks(TableId table, IReadOnlyList<ChunkRecord> chunks)
    {
        Prepared("DELETE FROM \"dbsync.chunk\" WHERE table_oid = ?").Bind(1, table.Key).Run();
        foreach (var chunk in chunks) SaveChunk(table, chunk);
    }

    public void SaveChunk(TableId table, ChunkRecord chunk) =>
        Prepared("INSERT OR REPLACE INTO \"dbsync.chunk\" VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .Bind(1, table.Key)
            .Bind(2, chunk.Number)
            .Bind(3, chunk.Lower is null ? null : JsonSerializer.Serialize(chunk.Lower.Literals))
            .Bind(4, chunk.Lower?.Cells)
            .Bind(5, chunk.Upper is null ? null : JsonSerializer.Serialize(chunk.Upper.Literals))
            .Bind(6, chunk.Upper?.Cells)
            .Bind(7, chunk.Snapshot?.ToString())
            .Bind(8, chunk.Rows)
            .Run();

    public List<ulong> LoadDropped(TableId table)
    {
        var dropped = new List<ulong>();
        var rows = Prepared("SELECT xid FROM \"dbsync.dropped\" WHERE table_oid = ?").Bind(1, table.Key);
        while (rows.Step()) dropped.Add((ulong)rows.Integer(0));
        return dropped;
    }

    public void SaveDropped(TableId table, ulong xid) =>
        Prepared("INSERT OR IGNORE INTO \"dbsync.dropped\" VALUES (?, ?)").Bind(1, table.Key).Bind(2, (long)xid).Run();

    public void ForgetDropped(TableId table, ulong below) =>
        Prepared("DELETE FROM \"dbsync.dropped\" WHERE table_oid = ? AND xid < ?")
            .Bind(1, table.Key).Bind(2, (long)Math.Min(below, long.MaxValue)).Run();

    public List<(byte[] Key, TransactionSnapshot Snapshot)> LoadRows(TableId table)
    {
        var found = new List<(byte[], TransactionSnapshot)>();
        var rows = Prepared("SELECT key, snapshot FROM \"dbsync.row\" WHERE table_oid = ?").Bind(1, table.Key);
        while (rows.Step()) found.Add((rows.Bytes(0).ToArray(), TransactionSnapshot.Parse(rows.Text(1))));
        return found;
    }

    public void SaveRow(TableId table, byte[] key, TransactionSnapshot snapshot) =>
        Prepared("INSERT OR REPLACE INTO \"dbsync.row\" VALUES (?, ?, ?)").Bind(1, table.Key).Bind(2, key).Bind(3, snapshot.ToString()).Run();

    public void ForgetRows(TableId table) => Prepared("DELETE FROM \"dbsync.row\" WHERE table_oid = ?").Bind(1, table.Key).Run();

    public void MarkPrimaryOnly(TableId table, string column) =>
        Prepared("INSERT OR IGNORE INTO \"dbsync.primary_only\" VALUES (?, ?)").Bind(1, table.Key).Bind(2, column).Run();

    public List<(string Collation, ImmutableArray<string> Labels)> LoadEnums()
    {
        var enums = new List<(string, ImmutableArray<string>)>();
        var rows = Prepared("SELECT collation, labels FROM \"dbsync.enum\"");
        while (rows.Step()) enums.Add((rows.Text(0), JsonSerializer.Deserialize<ImmutableArray<string>>(rows.Bytes(1))));
        return enums;
    }

    public void SaveEnum(EnumSchema labels) =>
        Prepared("INSERT OR REPLACE INTO \"dbsync.enum\" VALUES (?, ?)").Bind(1, labels.Collation).Bind(2, JsonSerializer.Serialize(labels.Labels)).Run();

    public ShardLayout? LoadLayout()
    {
        using var row = database.Prepare("SELECT version, copies, spread, hash, shards, keys, owners FROM \"dbsync.layout\"");
        if (!row.Step()) return null;
        return ShardLayout.Of(new ShardLayoutRow(
            row.Integer(0), (int)row.Integer(1), (int)row.Integer(2), row.Text(3), row.Text(4), row.Text(5), row.Bytes(6).ToArray()));
    }

    public void SaveLayout(ShardLayoutRow row) =>
        Prepared("INSERT OR REPLACE INTO \"dbsync.layout\" (id, version, copies, spread, hash, shards, keys, owners) VALUES (1, ?, ?, ?, ?, ?, ?, ?)")
            .Bind(1, row.Version).Bind(2, row.Copies).Bind(3, row.Spread).Bind(4, row.Hash).Bind(5, row.Shards).Bind(6, row.Keys).Bind(7, row.Owners).Run();

    public List<(TableId Table, BucketSet Buckets)> LoadArriving() => LoadBuckets("dbsync.arriving");

    public void SaveArriving(TableId table, BucketSet? buckets) => SaveBuckets("dbsync.arriving", table, buckets);

    public List<(TableId Table, BucketSet Buckets)> LoadLeaving() => HasLeaving ? LoadBuckets(LeavingName) : [];

    /// <summary>The list is there only while something leaves: SQLite's schema version then tells readers, whose views leave such rows out.</summary>
    public void SaveLeaving(TableId table, BucketSet? buckets)
    {
        if (!HasLeaving) database.Execute($"CREATE TABLE {SqlName.Quote(LeavingName)} (table_oid INTEGER PRIMARY KEY, buckets BLOB NOT NULL)");
        SaveBuckets(LeavingName, table, buckets);
        if (database.QueryInteger($"SELECT count(*) FROM {SqlName.Quote(LeavingName)}") != 0) return;
        foreach (var sql in _statements.Keys.Where(s => s.Contains(LeavingName, StringComparison.Ordinal)).ToList())
        {
            _statements[sql].Dispose(); // a prepared statement would keep the table
            _statements.Remove(sql);
        }
        database.Execute($"DROP TABLE {SqlName.Quote(LeavingName)}");
    }

    private bool HasLeaving => database.QueryInteger($"SELECT count(*) FROM sqlite_schema WHERE name = '{LeavingName}'") != 0;

    private List<(TableId Table, BucketSet Buckets)> LoadBuckets(string name)
    {
        var tables = new List<(TableId, BucketSet)>();
        var rows = Prepared($"SELECT table_oid, buckets FROM {SqlName.Quote(name)} ORDER BY table_oid");
        while (rows.Step()) tables.Add((new TableId((uint)rows.Integer(0)), new BucketSet(rows.Bytes(1))));
        return tables;
    }

    private void SaveBuckets(string name, TableId table, BucketSet? buckets)
    {
        if (buckets is null) Prepared($"DELETE FROM {SqlName.Quote(name)} WHERE table_oid = ?").Bind(1, table.Key).Run();
        else Prepared($"INSERT OR REPLACE INTO {SqlName.Quote(name)} VALUES (?, ?)").Bind(1, table.Key).Bind(2, buckets.ToBytes()).Run();
    }

    public void SaveMoved(Lsn commit, TableId table, ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row) =>
        Prepared("INSERT OR REPLACE INTO \"dbsync.moved\" (commit_lsn, table_oid, identity, row) VALUES (?, ?, ?, ?)")
            .Bind(1, (long)commit.Value).Bind(2, table.Oid).Bind(3, identity.ToArray()).Bind(4, row.ToArray()).Run();

    public byte[]? LoadMoved(Lsn commit, TableId table, ReadOnlySpan<byte> identity)
    {
        var rows = Prepared("SELECT row FROM \"dbsync.moved\" WHERE commit_lsn = ? AND table_oid = ? AND identity = ?")
            .Bind(1, (long)commit.Value).Bind(2, table.Oid).Bind(3, identity.ToArray());
        var row = rows.Step() ? rows.Bytes(0).ToArray() : null;
        rows.Reset();
        return row;
    }

    public bool ForgetMoved(Lsn before)
    {
        Prepared("DELETE FROM \"dbsync.moved\" WHERE commit_lsn < ?").Bind(1, (long)before.Value).Run();
        return database.QueryInteger("SELECT EXISTS (SELECT 1 FROM \"dbsync.moved\")") != 0;
    }

    private void CountSchemaChange() => Prepared("UPDATE \"dbsync.shard\" SET schema_changes = schema_changes + 1 WHERE id = 1").Run();

    public void Dispose()
    {
        foreach (var statement in _statements.Values) statement.Dispose();
        _statements.Clear();
    }

    private static ChunkBound? Bound(SqliteStatement rows, int column) => rows.IsNull(column)
        ? null
        : new ChunkBound(JsonSerializer.Deserialize<string[]>(rows.Bytes(column))!, rows.Bytes(column + 1).ToArray());

    private SqliteStatement Prepared(string sql)
    {
        if (!_statements.TryGetValue(sql, out var statement)) _statements.Add(sql, statement = database.Prepare(sql));
        return statement;
    }
}
