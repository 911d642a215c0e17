namespace DbSync;

/// <summary>Splits a part by the shard map: each shard gets its own share, and every shard gets the end, so that all positions advance.</summary>
/// <param name="shardCount">How many shards there are.</param>
/// <param name="placement">Which of them hold a row.</param>
/// <param name="pool">Where parts come from and go to.</param>
/// <param name="wake">Wakes shards that wait for what another one has.</param>
internal sealed class PartRouter(int shardCount, IRowPlacement placement, PartPool pool, Action wake)
{
    private readonly TransactionPart[] _shares = new TransactionPart[shardCount];
    private readonly ChangeBuffer _filled = new(1024);

    /// <summary>Turns <paramref name="part"/> into one part for each shard, in shard order. The span is valid until the next call.</summary>
    public ReadOnlySpan<TransactionPart> Split(TransactionPart part)
    {
        if (shardCount == 1 && placement.IsWhole)
        {
            _shares[0] = part;
            return _shares;
        }
        for (var i = 0; i < shardCount; i++)
        {
            var share = _shares[i] = pool.Rent();
            (share.Xid, share.CommitLsn, share.EndLsn, share.Begins, share.Ends) = (part.Xid, part.CommitLsn, part.EndLsn, part.Begins, part.Ends);
            (share.CommittedAtMicros, share.ReceivedAt, share.Layout) = (part.CommittedAtMicros, part.ReceivedAt, part.Layout);
        }
        var reader = new ChangeReader(part);
        while (reader.Read()) Route(ref reader);
        foreach (var (table, column) in part.KeptAsText)
            foreach (var share in _shares) share.MarkKept(table, column); // whoever holds the row, queries over the column span the shards
        pool.Return(part);
        return _shares;
    }

    private void Route(ref ChangeReader reader)
    {
        var table = reader.Table;
        if (reader.Kind is ChangeKind.Truncate or ChangeKind.Quarantine or >= ChangeKind.Alter || placement.IsEverywhere(table))
        {
            Give(ulong.MaxValue, reader.Kind, table, reader.Cells);
            return;
        }
        switch (reader.Kind)
        {
            case ChangeKind.Delete:
                Give(placement.ShardsOf(table, reader.Cells), reader.Kind, table, reader.Cells);
                return;
            case ChangeKind.Replace:
                reader.Split(out var identity, out var row);
                var from = placement.ShardsOf(table, identity);
                var to = placement.ShardsOf(table, IdentityOf(table, row));
                var sure = placement.SureShardsOf(table, identity);
                if ((to & ~sure) != 0 && RowCells.HasUnchanged(row))
                {
                    Move(table, identity, row, reader.Cells, from, sure, to);
                    return;
                }
                Give(sure & to, ChangeKind.Replace, table, reader.Cells);
                Give(from & ~(sure & to), ChangeKind.Delete, table, identity);
                Give(to & ~sure, ChangeKind.Insert, table, row);
                return;
            default:
                Give(placement.ShardsOf(table, IdentityOf(table, reader.Cells)), reader.Kind, table, reader.Cells);
                return;
        }
    }

    /// <summary>The row leaves values as they were: only who has it knows them.</summary>
    /// <param name="table">The table.</param>
    /// <param name="identity">The old row's identity.</param>
    /// <param name="row">The new row.</param>
    /// <param name="both">The two, one after the other.</param>
    /// <param name="from">The shards that hold the old row's bucket.</param>
    /// <param name="sure">Those of them that have the row.</param>
    /// <param name="to">The shards that hold the new row's bucket.</param>
    private void Move(TableSchema table, ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row, ReadOnlySpan<byte> both, ulong from, ulong sure, ulong to)
    {
        if (!table.HasKey) // its identity is the whole old row
        {
            _filled.Clear();
            RowCells.Fill(row, identity, _filled);
            Give(sure & to, ChangeKind.Replace, table, both);
            Give(from & ~(sure & to), ChangeKind.Delete, table, identity);
            Give(to & ~sure, ChangeKind.Insert, table, _filled.Written);
            return;
        }
        var move = new RowMove(wake);
        var teller = Lowest((sure & ~to) != 0 ? sure & ~to : sure);
        var stays = sure & to & ~teller;
        Give(stays, ChangeKind.Replace, table, both);
        Give(teller, ChangeKind.MoveOut, table, identity, move);
        Give(from & ~teller & ~stays, ChangeKind.Delete, table, identity);
        Give(to & ~stays, ChangeKind.MoveIn, table, row, move);
        if (teller == 0) move.GiveNothing();
    }

    private static ulong Lowest(ulong bits) => bits & (~bits + 1);

    private void Give(ulong shards, ChangeKind kind, TableSchema table, ReadOnlySpan<byte> cells, RowMove? move = null)
    {
        for (var i = 0; i < shardCount; i++)
        {
            if ((shards & (1UL << i)) == 0) continue;
            var start = _shares[i].BeginChange(kind, table);
            _shares[i].Changes.Append(cells);
            _shares[i].EndChange(start);
            if (move is not null) _shares[i].AddMove(move);
        }
    }

    private readonly ChangeBuffer _identity = new(1024);

    private ReadOnlySpan<byte> IdentityOf(TableSchema table, ReadOnlySpan<byte> row)
    {
        if (!table.HasKey) return row;
        _identity.Clear();
        RowCells.AppendKey(table, row, _identity);
        return _identity.Written;
    }
}
