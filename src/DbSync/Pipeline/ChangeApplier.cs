namespace DbSync;

/// <summary>
/// Applies changes to one shard, each exactly once: tables that are live take every change and a change that misses its row is a broken
/// invariant; tables whose copy is under way first judge what the copied rows already hold.
/// </summary>
internal sealed partial class ChangeApplier
{
    private readonly IShardStore _store;
    private readonly Dictionary<TableId, TableRecord> _live = [];
    private readonly Dictionary<TableId, TableCopy> _copies = [];
    private readonly ChangeBuffer _scratch = new(4096);
    private readonly Dictionary<TableSchema, Entered> _entered = new(ReferenceEqualityComparer.Instance);
    private TableSchema? _current;
    private Entered _how;
    private TransactionPart? _part;

    public ChangeApplier(IShardStore store)
    {
        _store = store;
        Load();
    }

    /// <summary>Called when a change needs the rows of a chunk that is being read; returns when something about the chunk has changed.</summary>
    public required Action WaitForChunk { get; init; }

    public IReadOnlyCollection<TableCopy> Copies => _copies.Values;

    /// <summary>True while a table can't be read.</summary>
    public bool IsIncomplete => _copies.Keys.Any(t => !t.IsShadow);

    public IEnumerable<TableRecord> Tables => _live.Values.Concat(_quarantined.Values).Concat(_copies.Values.Select(c => c.Record).Where(r => !r.Schema.Id.IsShadow));

    public bool IsLive(TableId table) => _live.ContainsKey(table);

    public TableCopy? CopyOf(TableId table) => _copies.GetValueOrDefault(table);

    /// <summary>Forgets everything and reads it from the shard again, after a rollback.</summary>
    public void Load()
    {
        _live.Clear();
        _copies.Clear();
        _quarantined.Clear();
        LoadBuckets();
        Reenter();
        foreach (var record in _store.LoadTables())
        {
            if (record.State == TableState.Live) _live.Add(record.Schema.Id, record);
            else if (record.State == TableState.Quarantined) _quarantined.Add(record.Schema.Id, record);
            else
            {
                var copy = Track(new TableCopy(record, _store.LoadChunks(record.Schema.Id), _store.LoadDroppedTransactions(record.Schema.Id)));
                foreach (var (key, snapshot) in _store.LoadRows(record.Schema.Id)) copy.SetRow(key, snapshot);
            }
        }
    }

    /// <summary>Starts a table over: empty, unplanned, to be copied.</summary>
    public TableCopy Start(TableSchema schema)
    {
        var record = new TableRecord(schema, TableState.Copying, Planned: false, Lsn.Zero);
        var remembered = _copies.TryGetValue(schema.Id, out var before) ? before.Dropped : [];
        _live.Remove(schema.Id);
        _quarantined.Remove(schema.Id);
        DropShadow(schema.Id);
        ForgetBuckets(schema.Id);
        DropNamesakes(schema);
        _store.CreateTable(record);
        foreach (var xid in remembered) _store.SaveDroppedTransaction(schema.Id, xid);
        return Track(new TableCopy(record, [], remembered));
    }

    /// <summary>Lets go of what was renamed or dropped on the primary, and whose name a table has now.</summary>
    private void DropNamesakes(TableSchema schema)
    {
        foreach (var namesake in Tables.Where(t => t.Schema.Id != schema.Id && t.Schema.ReplicaName == schema.ReplicaName).ToList()) Drop(namesake.Schema.Id);
    }

    /// <summary>
    /// Starts a second copy of a table that can be read: it takes every change too, and once it is complete it takes the first one's place in
    /// one transaction. A table that can't be read is started over.
    /// </summary>
    public void StartBeside(TableSchema table)
    {
        if (!_live.TryGetValue(table.Id, out var live)) Start(table);
        else if (!_copies.ContainsKey(table.Id.Shadow))
        {
            var record = new TableRecord(live.Schema with { Id = table.Id.Shadow }, TableState.Copying, Planned: false, Lsn.Zero);
            _store.CreateTable(record);
            Track(new TableCopy(record, [], []));
        }
    }

    public void Drop(TableId table)
    {
        if (!table.IsShadow) DropShadow(table);
        ForgetBuckets(table);
        _store.DropTable(table);
        _live.Remove(table);
        _copies.Remove(table);
        _quarantined.Remove(table);
        Reenter();
    }

    /// <summary>Makes the tables readable whose copies hold everything up to <paramref name="position"/>.</summary>
    public bool Promote(Lsn position)
    {
        if (_copies.Count == 0) return false;
        var ready = _copies.Values.Where(c => c.Record.State == TableState.CatchingUp && c.Record.ReadableFrom <= position).ToList();
        foreach (var copy in ready)
        {
            var record = copy.Record with { State = TableState.Live, ChunksCopied = copy.Chunks.Count };
            _store.SaveChunks(record.Schema.Id, []);
            _store.ForgetDroppedTransactions(record.Schema.Id, ulong.MaxValue);
            _store.ForgetRows(record.Schema.Id);
            _store.SaveTable(record);
            _copies.Remove(record.Schema.Id);
            if (record.Schema.Id.IsShadow)
            {
                _store.PutInPlace(record.Schema);
                record = record with { Schema = record.Schema with { Id = record.Schema.Id.Original } };
                ForgetBuckets(record.Schema.Id);
            }
            _live[record.Schema.Id] = record;
        }
        if (ready.Count > 0) Reenter();
        foreach (var table in ready.Select(c => c.Record.Schema)) CopyArriving(table);
        return ready.Count > 0;
    }

    /// <summary>Applies the changes of one part.</summary>
    public void Apply(TransactionPart part)
    {
        _part = part;
        var reader = new ChangeReader(part);
        var moves = 0;
        if (part.Begins) _rewritten.Clear();
        while (!TryApply(part, ref reader, ref moves))
        {
            // A table was set aside; what follows of it is passed over.
        }
        if (part.Ends && _rewritten.Count > 0) FinishSchema(part);
    }

    /// <summary>Applies what is left of a part; false when a value could not be stored, after which more may be left.</summary>
    private bool TryApply(TransactionPart part, ref ChangeReader reader, ref int moves)
    {
        try
        {
            while (reader.Read())
            {
                if (reader.Kind >= ChangeKind.Alter)
                {
                    ApplySchema(ref reader, part);
                    continue;
                }
                if (_quarantined.Count > 0 && IsSetAside(reader.Table))
                {
                    if (reader.Kind is not (ChangeKind.MoveOut or ChangeKind.MoveIn)) continue;
                    var move = part.Moves[moves++];
                    if (reader.Kind == ChangeKind.MoveOut) move.GiveNothing();
                    continue;
                }
                if (!ReferenceEquals(reader.Table, _current)) Enter(reader.Table);
                if (reader.Kind >= ChangeKind.Quarantine) ApplyRare(ref reader, part);
                else if (reader.Kind >= ChangeKind.MoveOut) Move(ref reader, part, part.Moves[moves++]);
                else
                {
                    if (_how is { IsLive: true, Arrival: { } arrival }) ApplySettled(ref reader, reader.Table, arrival);
                    else if (_how.IsLive) ApplyLive(ref reader, reader.Table);
                    else if (_how.IsSuspect) ApplySuspect(ref reader, reader.Table);
                    else ApplyCopying(ref reader, reader.Table, part.Xid);
                    if (_how.Shadow is { } shadow) ApplyCopying(ref reader, shadow, part.Xid);
                }
                Failpoint.Hit(Failpoint.MidTransaction);
            }
            return true;
        }
        catch (UnstorableValueException exception)
        {
            Quarantine(reader.Table.Id, exception.Column, part.CommitLsn, exception.Reason);
            return false;
        }
    }

    private void ApplyRare(ref ChangeReader reader, TransactionPart part)
    {
        if (reader.Kind == ChangeKind.Quarantine) Quarantine(reader, part.CommitLsn);
        else if (_how.IsLive || _how.IsSuspect || Judge(reader.Table, KeyOfRow(reader.Table, reader.Cells), part.Xid))
            StartOver(reader.Table, part.Xid); // what was not sent is only on the primary: the table is read again rather than guessed
    }

    private void ApplyLive(ref ChangeReader reader, TableSchema table)
    {
        var cells = reader.Cells;
        var found = 1;
        switch (reader.Kind)
        {
            case ChangeKind.Insert:
                found = InsertLive(table, cells);
                break;
            case ChangeKind.Update:
                found = _store.Update(table, cells);
                break;
            case ChangeKind.Replace:
                reader.Split(out var identity, out var row);
                found = _store.Replace(table, identity, row);
                break;
            case ChangeKind.Delete:
                found = _store.Delete(table, cells);
                break;
            case ChangeKind.Truncate:
                _store.Truncate(table);
                break;
        }
        if (found != 1 && !TrySuspect(ref reader, table)) throw Missed(table, reader.Kind, found);
    }

    /// <summary>Inserts a row; 0 when its key is there already.</summary>
    private int InsertLive(TableSchema table, ReadOnlySpan<byte> row)
    {
        try
        {
            _store.Insert(table, ref row);
            return 1;
        }
        catch (DbSyncException exception) when (exception.Code == ErrorCodes.Diverged && table.HasKey)
        {
            return 0;
        }
    }

    private DbSyncException Missed(TableSchema table, ChangeKind kind, int found) => new(
        ErrorCodes.Diverged,
        $"Shard '{_store.Id}': {found} rows of {table} matched a change ({kind}) that must match exactly one.",
        "The shard has stopped with nothing lost. Run 'dbsync verify --repair' or copy the table again with 'dbsync resync'.");

    private void DropShadow(TableId table)
    {
        if (!_copies.Remove(table.Shadow)) return;
        _store.DropTable(table.Shadow);
        Reenter();
    }

    private ulong Widen(TableCopy copy, uint xid) => TransactionSnapshot.Widen(
        xid, copy.Chunks.Where(c => c.Snapshot is not null).Select(c => c.Snapshot!.Xmax).DefaultIfEmpty(XidReference).Max());

    private void Remember(TableCopy copy, uint xid)
    {
        var wide = Widen(copy, xid);
        if (copy.Remember(wide)) _store.SaveDroppedTransaction(copy.Record.Schema.Id, wide);
    }

    /// <summary>A recent 64-bit transaction id of the primary, against which the stream's 32 bits are widened.</summary>
    public ulong XidReference { get; set; }

    /// <summary>Records (or replaces) the chunks of a table.</summary>
    public void Replan(TableCopy copy, IReadOnlyList<ChunkRecord> chunks)
    {
        _store.SaveChunks(copy.Record.Schema.Id, chunks);
        _store.ForgetRows(copy.Record.Schema.Id);
        copy.Plan(chunks);
        copy.Record = copy.Record with { State = TableState.Copying };
        _store.SaveTable(copy.Record);
    }

    /// <summary>What the stream's tables are here has changed: every one is looked at again.</summary>
    private void Reenter()
    {
        _current = null;
        _entered.Clear();
    }

    private void Enter(TableSchema table)
    {
        _current = table;
        if (_entered.TryGetValue(table, out _how)) return;
        if (IsNew(table))
        {
            Learn(table.Id, _part!.Xid);
            Start(table);
        }
        _how = new Entered(_live.ContainsKey(table.Id), IsSuspect(table.Id), _copies.ContainsKey(table.Id.Shadow) ? table with { Id = table.Id.Shadow } : null, ArrivalOf(table));
        _current = table;
        _entered.Add(table, _how);
    }

    /// <summary>True when the stream's table is not here, or is here as it no longer is.</summary>
    private bool IsNew(TableSchema table)
    {
        if (_live.TryGetValue(table.Id, out var record)) return !record.Schema.StoresLike(table) || table.IsPublishedAnewSince(record.Schema);
        return !_copies.TryGetValue(table.Id, out var copy) || table.IsPublishedAnewSince(copy.Record.Schema) || (copy.Record.IsSuspect && !copy.Record.Schema.StoresLike(table));
    }

    private TableCopy Track(TableCopy copy)
    {
        _copies[copy.Record.Schema.Id] = copy;
        Reenter();
        return copy;
    }

    /// <summary>The key cells of a row, in key order; empty for a table without a key.</summary>
    private ReadOnlySpan<byte> KeyOfRow(TableSchema table, ReadOnlySpan<byte> row)
    {
        if (!table.HasKey) return default;
        _scratch.Clear();
        RowCells.AppendKey(table, row, _scratch);
        return _scratch.Written;
    }

    /// <summary>Notes that a value of a column was kept as PostgreSQL's text, for the table and for the copy beside it.</summary>
    public void MarkPrimaryOnly(TableSchema table, int column)
    {
        _store.MarkPrimaryOnly(table, column);
        if (_copies.TryGetValue(table.Id.Shadow, out var shadow)) _store.MarkPrimaryOnly(shadow.Record.Schema, column);
    }

    /// <summary>What the stream's table is here.</summary>
    /// <param name="IsLive">Whether it takes every change; else the changes are judged.</param>
    /// <param name="IsSuspect">Whether its rows are to be compared before anybody reads them.</param>
    /// <param name="Shadow">The copy beside it, as the stream's table; null when there is none.</param>
    /// <param name="Arrival">The buckets that only the copy beside it has; null for none.</param>
    private readonly record struct Entered(bool IsLive, bool IsSuspect, TableSchema? Shadow, Arrival? Arrival);
}
