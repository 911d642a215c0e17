namespace DbSync;

/// <summary>
/// Schema changes, each at its place among the rows: what a change leaves of the rows is kept, and a table whose rows it computed anew is
/// copied again, which readers are told in the same transaction.
/// </summary>
internal sealed partial class ChangeApplier
{
    private readonly HashSet<TableId> _rewritten = [];

    /// <summary>Called when something has changed on the primary that the log does not describe.</summary>
    public Action CatalogChanged { get; set; } = () => { };

    private void ApplySchema(ref ChangeReader reader, TransactionPart part)
    {
        var table = reader.Table;
        var cells = reader.Cells;
        switch (reader.Kind)
        {
            case ChangeKind.Alter:
                Learn(table.Id, part.Xid);
                Alter(table, TableAlteration.Read(cells), part);
                break;
            case ChangeKind.Rewrite:
                _rewritten.Add(table.Id);
                break;
            case ChangeKind.Drop:
                Learn(table.Id, part.Xid);
                Leave(table.Id, isGone: Cell.Read(ref cells).Integer == 1, part.Xid);
                break;
            case ChangeKind.DropIndex:
                DropIndex(table);
                break;
            default:
                CatalogChanged();
                break;
        }
    }

    /// <summary>Rows that were computed anew although the table looks as before.</summary>
    private void FinishSchema(TransactionPart part)
    {
        foreach (var table in _rewritten.Where(_live.ContainsKey).ToList()) StartAgain(_live[table].Schema, part.Xid);
        _rewritten.Clear();
    }

    private void Alter(TableSchema table, TableAlteration alteration, TransactionPart part)
    {
        var rewritten = _rewritten.Remove(table.Id);
        if (Collision(table) is { } twin)
        {
            Quarantine(table.Id, null, part.CommitLsn, $"In SQLite {twin} differ only by case.");
            return;
        }
        if (_live.TryGetValue(table.Id, out var record))
        {
            if (!rewritten && record.Schema.IsDescribedLike(table)) return;
            var change = rewritten || table.IsPublishedAnewSince(record.Schema) || IsPlacedOtherwise(record.Schema, table)
                ? null
                : TableChange.Between(record.Schema, table, alteration.Flags);
            if (change is null || !TryAlter(record, change, alteration.Values)) StartAgain(table, part.Xid);
        }
        else if (_copies.ContainsKey(table.Id)) AlterCopying(table, alteration.Flags, rewritten, part.Xid);
        else StartAgain(table, part.Xid);
    }

    private bool TryAlter(TableRecord record, TableChange change, ReadOnlySpan<byte> values)
    {
        var beside = _copies.ContainsKey(record.Schema.Id.Shadow);
        DropShadow(record.Schema.Id);
        DropNamesakes(change.To);
        var altered = record with { Schema = change.To };
        if (!_store.TryAlterTable(altered, change, values)) return false;
        _live[record.Schema.Id] = altered;
        Reenter();
        if (beside) StartBeside(change.To);
        return true;
    }

    /// <summary>
    /// The copied rows hold the change when their snapshot sees it; then they hold its shape too. A table that changes between its chunks is
    /// started over.
    /// </summary>
    private void AlterCopying(TableSchema table, AlterationFlags flags, bool rewritten, uint xid)
    {
        while (_copies.TryGetValue(table.Id, out var copy))
        {
            var judgement = copy.JudgeTruncate(xid);
            if (judgement == ChunkJudgement.Wait)
            {
                WaitForChunk();
                continue;
            }
            var before = copy.Record.Schema;
            if (judgement == ChunkJudgement.Skip)
            {
                if (!copy.IsComplete) Remember(copy, xid); // what is not here yet must be read by a snapshot that sees it
                before = before with { Entry = table.Entry }; // what was in no log while the table was left out is in what was read since
            }
            var isAlike = before.StoresLike(table) && !table.IsPublishedAnewSince(before);
            if (isAlike && (judgement == ChunkJudgement.Skip || (!rewritten && TableChange.KeepsPartitions(before, table, flags) && TableChange.KeepsLabels(before, table)))) Refresh(copy, table, before.Entry);
            else if (judgement == ChunkJudgement.Apply) StartAgain(table, xid);
            return; // of a chunk that is not here yet, its reader finds out what shape it has
        }
    }

    /// <summary>
    /// A chunk has come whose snapshot sees this description. No change of it that the stream has passed is later: such a change waits for the chunk, or
    /// the snapshot has to see it.
    /// </summary>
    public void Describe(TableCopy copy, TableSchema table)
    {
        if (!copy.Record.Schema.IsDescribedLike(table)) Refresh(copy, table, copy.Record.Schema.Entry);
    }

    /// <summary>What the rows don't depend on.</summary>
    private void Refresh(TableCopy copy, TableSchema table, uint entry)
    {
        copy.Record = copy.Record with { Schema = copy.Record.Schema with { Entry = entry, Identity = table.Identity, Indexes = table.Indexes, Enums = table.Enums, Marks = table.Marks, Partitions = table.Partitions } };
        _store.SaveSchema(copy.Record, withIndexes: copy.Record.State == TableState.CatchingUp);
    }

    private void StartAgain(TableSchema table, uint xid)
    {
        Remember(Start(table), xid);
        Reenter();
    }

    /// <summary>A table that is under copy may be published anew already: only what the copy has seen or what is really gone counts.</summary>
    private void Leave(TableId table, bool isGone, uint xid)
    {
        _rewritten.Remove(table);
        if (isGone || _live.ContainsKey(table) || _quarantined.ContainsKey(table) || (_copies.TryGetValue(table, out var copy) && copy.JudgeTruncate(xid) == ChunkJudgement.Apply))
            Drop(table);
        foreach (var whole in Tables.Select(t => t.Schema).Where(t => isGone && t.Partitions is { } parts && parts.Contains(table.Oid)).ToList())
        {
            var rest = whole with { Partitions = whole.Partitions!.Value.Remove(table.Oid) };
            if (_live.ContainsKey(whole.Id)) StartAgain(rest, xid); // its rows went without a word
            else if (_copies.TryGetValue(whole.Id, out var parted))
            {
                if (parted.JudgeTruncate(xid) == ChunkJudgement.Skip) Refresh(parted, rest, rest.Entry);
                else StartAgain(rest, xid);
            }
        }
    }

    private void DropIndex(TableSchema index)
    {
        foreach (var record in Tables.Where(t => t.Schema.Schema == index.Schema && t.Schema.Indexes.Any(i => i.Name == index.Name)).ToList())
        {
            var schema = record.Schema with { Indexes = record.Schema.Indexes.RemoveAll(i => i.Name == index.Name) };
            if (_copies.TryGetValue(schema.Id, out var copy)) Refresh(copy, schema, schema.Entry);
            else if (_live.ContainsKey(schema.Id))
            {
                _live[schema.Id] = record with { Schema = schema };
                _store.SaveSchema(_live[schema.Id], withIndexes: true);
            }
        }
    }

    /// <summary>Names that SQLite does not tell apart; null when there are none.</summary>
    private string? Collision(TableSchema table)
    {
        if (table.Columns.GroupBy(c => c.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } columns)
            return $"its columns {string.Join(" and ", columns.Select(c => c.Name))}";
        var twin = Tables.FirstOrDefault(
            t => t.Schema.Id != table.Id && t.Schema.ReplicaName != table.ReplicaName && string.Equals(t.Schema.ReplicaName, table.ReplicaName, StringComparison.OrdinalIgnoreCase));
        return twin is null ? null : $"the tables {table} and {twin.Schema}";
    }

    /// <summary>Shard keys go by the table's name: under another one its rows belong elsewhere.</summary>
    private bool IsPlacedOtherwise(TableSchema before, TableSchema now) =>
        before.ReplicaName != now.ReplicaName && _store.LoadLayout() is { } layout
        && (layout.Keys.ContainsKey(before.ReplicaName) || layout.Keys.ContainsKey(now.ReplicaName));
}
