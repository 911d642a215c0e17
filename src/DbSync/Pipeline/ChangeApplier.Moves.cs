namespace DbSync;

/// <summary>Rows on their way from shard to shard: their shard key has changed.</summary>
internal sealed partial class ChangeApplier
{
    private bool _hasTold = true; // until it has been looked

    /// <summary>Called when a change needs a row that another shard has; returns when that one has told, or never will.</summary>
    public required Action<RowMove> WaitForMove { get; init; }

    /// <summary>The part was applied here before, in another life of the process: tells again what other shards may not know yet.</summary>
    public void Tell(TransactionPart part)
    {
        if (part.Moves.Count == 0) return;
        var reader = new ChangeReader(part);
        var moves = 0;
        while (reader.Read())
        {
            if (reader.Kind is not (ChangeKind.MoveOut or ChangeKind.MoveIn)) continue;
            var move = part.Moves[moves++];
            if (reader.Kind != ChangeKind.MoveOut) continue;
            if (_store.LoadMoved(part.CommitLsn, reader.Table, reader.Cells) is { } row) move.Give(row);
            else move.GiveNothing();
        }
    }

    /// <summary>Forgets rows that moved on and that every shard has on disk.</summary>
    public void ForgetTold(Lsn durable)
    {
        if (!_hasTold) return;
        _hasTold = _store.ForgetMoved(durable);
    }

    /// <summary>One half of a row's way from shard to shard, in the table and in the copy beside it.</summary>
    private void Move(ref ChangeReader reader, TransactionPart part, RowMove move)
    {
        if (reader.Kind == ChangeKind.MoveOut) MoveOut(ref reader, part, move);
        else if (_how.Arrival?.Has(KeyOfRow(reader.Table, reader.Cells)) != true) MoveIn(ref reader, reader.Table, _how.IsLive, part.Xid, move);
        if (_how.Shadow is not { } shadow) return;
        if (reader.Kind == ChangeKind.MoveIn) MoveIn(ref reader, shadow, isLive: false, part.Xid, move);
        else if (Judge(shadow, reader.Cells, part.Xid) && StillLike(shadow, part.Xid)) _store.Delete(shadow, reader.Cells);
    }

    /// <summary>The row leaves: judged like a delete.</summary>
    private void MoveOut(ref ChangeReader reader, TransactionPart part, RowMove move)
    {
        var table = reader.Table;
        var cells = reader.Cells;
        if (!_how.IsLive && !(Judge(table, cells, part.Xid) && StillLike(table, part.Xid)))
        {
            move.GiveNothing();
            return;
        }
        _scratch.Clear();
        if (!_store.TryRead(table, cells, _scratch))
        {
            if (!_how.IsSuspect)
            {
                if (!MaySuspect(table)) throw Missed(table, reader.Kind, 0);
                Suspect(table);
            }
            move.GiveNothing();
            return;
        }
        _store.SaveMoved(part.CommitLsn, table, cells, _scratch.Written);
        _hasTold = true;
        move.Give(_scratch.Written);
        _store.Delete(table, cells);
    }

    /// <summary>The row comes: judged like an insert, with the values that only the other shard could tell.</summary>
    private void MoveIn(ref ChangeReader reader, TableSchema table, bool isLive, uint xid, RowMove move)
    {
        var cells = reader.Cells;
        if (!isLive && !(Judge(table, KeyOfRow(table, cells), xid) && StillLike(table, xid))) return;
        WaitForMove(move);
        if (move.Row is not { } old)
        {
            if (IsSuspect(table.Id)) return; // it was not there either, and will be found missing
            if (isLive) StartOver(table, xid); // nobody here can tell the value any more: the table is read again rather than guessed
            else ReadRow(table, KeyOfRow(table, cells).ToArray(), xid);
            return;
        }
        _scratch.Clear();
        RowCells.Fill(cells, old, _scratch);
        var row = _scratch.Written;
        if (IsSuspect(table.Id)) Put(table, row);
        else _store.Insert(table, ref row);
    }
}
