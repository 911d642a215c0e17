namespace DbSync;

/// <summary>Changes of tables that are being copied: each is judged against the snapshots of the chunks.</summary>
internal sealed partial class ChangeApplier
{
    private void ApplyCopying(ref ChangeReader reader, TableSchema table, uint xid)
    {
        var cells = reader.Cells;
        switch (reader.Kind)
        {
            case ChangeKind.Truncate:
                TruncateCopying(table, xid);
                return;
            case ChangeKind.Insert:
                if (Judge(table, KeyOfRow(table, cells), xid) && StillLike(table, xid)) _store.Insert(table, ref cells);
                return;
            case ChangeKind.Update:
                if (Judge(table, KeyOfRow(table, cells), xid) && StillLike(table, xid)) ApplyLive(ref reader, table);
                return;
            case ChangeKind.Delete:
                if (Judge(table, table.HasKey ? cells : default, xid) && StillLike(table, xid)) ApplyLive(ref reader, table);
                return;
            default:
                ReplaceCopying(ref reader, table, xid);
                return;
        }
    }

    /// <summary>A key change leaves one chunk and enters another: two judgements.</summary>
    private void ReplaceCopying(ref ChangeReader reader, TableSchema table, uint xid)
    {
        reader.Split(out var identity, out var row);
        var leaves = Judge(table, table.HasKey ? identity : default, xid);
        var enters = Judge(table, KeyOfRow(table, row), xid);
        if ((!leaves && !enters) || !StillLike(table, xid)) return;
        if (leaves && enters) ApplyLive(ref reader, table);
        else if (leaves) _store.Delete(table, identity);
        else if (!RowCells.HasUnchanged(row)) _store.Insert(table, ref row);
        else ReadRow(table, KeyOfRow(table, row).ToArray(), xid);
    }

    private void TruncateCopying(TableSchema table, uint xid)
    {
        if (!_copies.TryGetValue(table.Id, out var copy)) return;
        while (copy.JudgeTruncate(xid) == ChunkJudgement.Wait)
        {
            WaitForChunk();
            if (!_copies.TryGetValue(table.Id, out copy)) return;
        }
        var everywhere = copy.JudgeTruncate(xid);
        if (!copy.IsComplete) Remember(copy, xid);
        if (everywhere == ChunkJudgement.Skip) return;
        _store.Truncate(table);
        if (copy.IsComplete && copy.Rows.Count == 0 && copy.Chunks.All(c => !c.Snapshot!.Sees(c.Snapshot.Widen(xid)))) return;

        // Some chunks have seen it, some have not, some are missing. The table is all but empty now, so its chunks are cheap to read again.
        Remember(copy, xid);
        Replan(copy, [.. copy.Chunks.Select(c => c with { Snapshot = null, Rows = 0 })]);
    }

    /// <summary>True when the change has to be applied here and now.</summary>
    private bool Judge(TableSchema table, ReadOnlySpan<byte> key, uint xid)
    {
        while (true)
        {
            if (!_copies.TryGetValue(table.Id, out var copy)) return !table.Id.IsShadow; // it went live while this change waited
            switch (copy.Judge(key, xid))
            {
                case ChunkJudgement.Apply:
                    return true;
                case ChunkJudgement.Skip:
                    return false;
                case ChunkJudgement.Drop:
                    Remember(copy, xid);
                    return false;
                case ChunkJudgement.Ask:
                    var asked = key.ToArray(); // the scratch that holds it is used for others meanwhile
                    if (!Ask(copy, table, asked, xid)) return false;
                    key = asked;
                    break;
                default:
                    WaitForChunk();
                    break;
            }
        }
    }

    /// <summary>
    /// A change that the copied rows don't hold comes after them in the log; when it speaks of another shape, the table has changed since,
    /// and is started over.
    /// </summary>
    private bool StillLike(TableSchema streamed, uint xid)
    {
        var record = _copies.TryGetValue(streamed.Id, out var copy) ? copy.Record : _live.GetValueOrDefault(streamed.Id);
        if (record is not null && record.Schema.StoresLike(streamed)) return true;
        StartOver(streamed, xid);
        return false;
    }

    private void StartOver(TableSchema table, uint xid)
    {
        Learn(table.Id, xid);
        if (!table.Id.IsShadow) Remember(Start(table), xid);
        else
        {
            DropShadow(table.Id.Original);
            StartBeside(table with { Id = table.Id.Original });
            if (_copies.TryGetValue(table.Id, out var again)) Remember(again, xid);
        }
    }
}
