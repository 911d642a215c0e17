namespace DbSync;

/// <summary>
/// Tables whose rows are here and may be unlike the primary's: something wrote to the file, or log is missing between what was restored and what
/// follows. Nobody reads them; they take every change as far as it can be taken, until their rows have been compared and mended.
/// </summary>
internal sealed partial class ChangeApplier
{
    /// <summary>Sees no transaction: every change is applied.</summary>
    private static readonly TransactionSnapshot SeesNothing = new(0, 0, []);

    /// <summary>Called when a change misses its row in a table that is live: whether the table may become suspect, or the shard has to stop.</summary>
    public Func<TableSchema, bool> MaySuspect { get; set; } = _ => false;

    /// <summary>The suspect tables.</summary>
    public IEnumerable<TableSchema> Suspects => _copies.Values.Where(c => c.Record.IsSuspect).Select(c => c.Record.Schema);

    public bool IsSuspect(TableId table) => _copies.TryGetValue(table, out var copy) && copy.Record.IsSuspect;

    /// <summary>Log is missing before <paramref name="layout"/>'s time: no table is known to be right.</summary>
    public void SuspectAll(ShardLayout? layout)
    {
        if (layout is not null) Switch(layout);
        foreach (var record in Tables.ToList())
        {
            if (record.State == TableState.Quarantined || record.IsSuspect) continue;
            if (record.State == TableState.Live && record.Schema is { HasKey: true, IsControl: false }) Suspect(record.Schema);
            else Start(record.Schema);
        }
    }

    /// <summary>Nobody reads the table from the next commit on, until it is mended.</summary>
    private void Suspect(TableSchema table)
    {
        if (!_live.Remove(table.Id, out var live)) return;
        DropShadow(table.Id);
        var record = live with { State = TableState.CatchingUp, Planned = true, ReadableFrom = TableRecord.Never };
        var chunk = new ChunkRecord(0, null, null, SeesNothing, 0);
        _store.SaveTable(record);
        _store.SaveChunks(record.Schema.Id, [chunk]);
        Track(new TableCopy(record, [chunk], []));
    }

    /// <summary>The table's rows are the primary's again, at the position of the next commit.</summary>
    public void Trust(TableId table)
    {
        if (!IsSuspect(table)) return;
        var copy = _copies[table];
        copy.Record = copy.Record with { ReadableFrom = _store.Position };
        _store.SaveTable(copy.Record);
    }

    /// <summary>A change missed its row: true when the table is suspect from now on, and the change has been taken.</summary>
    private bool TrySuspect(ref ChangeReader reader, TableSchema table)
    {
        if (!table.HasKey || table.Id.IsShadow || !_live.TryGetValue(table.Id, out var live) || !MaySuspect(live.Schema)) return false;
        Suspect(live.Schema);
        Enter(reader.Table);
        ApplySuspect(ref reader, reader.Table);
        return true;
    }

    private void ApplySuspect(ref ChangeReader reader, TableSchema table)
    {
        var cells = reader.Cells;
        switch (reader.Kind)
        {
            case ChangeKind.Insert:
                Put(table, cells);
                break;
            case ChangeKind.Update:
                if (_store.Update(table, cells) == 0 && !RowCells.HasUnchanged(cells)) _store.Insert(table, ref cells);
                break;
            case ChangeKind.Replace:
                reader.Split(out var identity, out var row);
                _scratch.Clear();
                var old = _store.TryRead(table, identity, _scratch) ? _scratch.Written.ToArray() : null;
                _store.Delete(table, identity);
                if (old is null && RowCells.HasUnchanged(row)) break; // it was not here, and will be found missing
                var filled = new ChangeBuffer(256);
                if (old is null) filled.Append(row);
                else RowCells.Fill(row, old, filled);
                Put(table, filled.Written);
                break;
            case ChangeKind.Delete:
                _store.Delete(table, cells);
                break;
            case ChangeKind.Truncate:
                _store.Truncate(table);
                break;
        }
    }

    /// <summary>Puts a row in place of whatever has its key.</summary>
    private void Put(TableSchema table, ReadOnlySpan<byte> row)
    {
        var key = new ChangeBuffer(256);
        RowCells.AppendKey(table, row, key);
        _store.Delete(table, key.Written);
        _store.Insert(table, ref row);
    }
}
