using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>
/// A run of changes of one transaction of the primary, in order: the whole transaction as a rule, a piece of it when it is large, and
/// after routing the share of one shard. A part that begins and ends without a change only moves the position.
/// </summary>
/// <remarks>
/// Encoded change: kind (1 byte), ordinal of the table in <see cref="Tables"/> (4), bytes that follow (4), then the cells: for Insert
/// and Update the row; for Replace the identity and the row; for Delete the identity. An identity is the key's cells in key order, or the
/// whole old row where the table has no key. Parts are immutable once handed on, and go back to their <see cref="PartPool"/> after use.
/// </remarks>
internal sealed class TransactionPart
{
    public const int ChangeHeaderBytes = 9;

    private readonly List<TableSchema> _tables = [];
    private readonly List<(TableSchema Table, int Column)> _kept = [];
    private readonly List<RowMove> _moves = [];

    public TransactionPart(int capacityBytes) => Changes = new ChangeBuffer(capacityBytes);

    /// <summary>The transaction's top-level id as the stream carries it (32 bits), 0 for a mere position.</summary>
    public uint Xid { get; set; }

    /// <summary>The position of the transaction's commit record, known from its beginning; zero for a mere position.</summary>
    public Lsn CommitLsn { get; set; }

    /// <summary>The position after the transaction's commit record; only valid when <see cref="Ends"/>.</summary>
    public Lsn EndLsn { get; set; }

    /// <summary>The primary's clock at commit, in microseconds since 2000-01-01 UTC.</summary>
    public long CommittedAtMicros { get; set; }

    /// <summary>This process's monotonic clock when the part's first byte was decoded, in <see cref="TimeProvider"/> ticks.</summary>
    public long ReceivedAt { get; set; }

    /// <summary>True for the first part of a transaction.</summary>
    public bool Begins { get; set; }

    /// <summary>True for the last part of a transaction: after it the shard stands at <see cref="EndLsn"/>.</summary>
    public bool Ends { get; set; }

    /// <summary>True for a part that says nothing but that all shards commit here together.</summary>
    public bool EndsBatch { get; set; }

    /// <summary>The shard layout that holds from the end of this transaction on; null when it stays as it is.</summary>
    public ShardLayout? Layout { get; set; }

    public int ChangeCount { get; private set; }

    /// <summary>True when the part holds a change of one of DbSync's own tables.</summary>
    public bool TouchesControl { get; private set; }

    public ChangeBuffer Changes { get; }

    public IReadOnlyList<TableSchema> Tables => _tables;

    /// <summary>One for each <see cref="ChangeKind.MoveOut"/> and <see cref="ChangeKind.MoveIn"/> of this part, in their order.</summary>
    public IReadOnlyList<RowMove> Moves => _moves;

    /// <summary>Columns with a value in this part that has no place in the value contract and was kept as PostgreSQL's text.</summary>
    public IReadOnlyList<(TableSchema Table, int Column)> KeptAsText => _kept;

    public void Reset()
    {
        Changes.Clear();
        _tables.Clear();
        _kept.Clear();
        _moves.Clear();
        Layout = null;
        (Xid, CommitLsn, EndLsn, CommittedAtMicros, ReceivedAt, Begins, Ends, EndsBatch, ChangeCount, TouchesControl) =
            (0, Lsn.Zero, Lsn.Zero, 0, 0, false, false, false, 0, false);
    }

    /// <summary>Starts a change; the caller writes its cells into <see cref="Changes"/> and then calls <see cref="EndChange"/>.</summary>
    /// <returns>The offset to give to <see cref="EndChange"/>.</returns>
    public int BeginChange(ChangeKind kind, TableSchema table)
    {
        var start = Changes.Length;
        var header = Changes.Take(ChangeHeaderBytes);
        header[0] = (byte)kind;
        Unsafe.WriteUnaligned(ref header[1], OrdinalOf(table));
        return start;
    }

    public void EndChange(int start)
    {
        Unsafe.WriteUnaligned(ref Changes.At(start + 5, 4)[0], Changes.Length - start - ChangeHeaderBytes);
        ChangeCount++;
    }

    /// <summary>Takes back a change begun, as if it had never been there.</summary>
    public void CancelChange(int start, int tableCount)
    {
        Changes.Rewind(start);
        for (var i = _tables.Count - 1; i >= tableCount; i--) _kept.RemoveAll(k => ReferenceEquals(k.Table, _tables[i]));
        _tables.RemoveRange(tableCount, _tables.Count - tableCount);
        TouchesControl = _tables.Exists(t => t.IsControl);
    }

    /// <summary>Turns a Replace whose key stayed into an Update: drops the identity before the row at <paramref name="row"/>.</summary>
    public void KeepOnlyRow(int start, int row)
    {
        var length = Changes.Length - row;
        Changes.Written[row..].CopyTo(Changes.At(start + ChangeHeaderBytes, length));
        Changes.Rewind(start + ChangeHeaderBytes + length);
        Changes.At(start, 1)[0] = (byte)ChangeKind.Update;
    }

    /// <summary>Turns an Insert begun at <paramref name="start"/> into an Enter.</summary>
    public void MarkIncomplete(int start) => Changes.At(start, 1)[0] = (byte)ChangeKind.Enter;

    public void AddMove(RowMove move) => _moves.Add(move);

    public void MarkKept(TableSchema table, int column)
    {
        if (!_kept.Contains((table, column))) _kept.Add((table, column));
    }

    private int OrdinalOf(TableSchema table)
    {
        for (var i = _tables.Count - 1; i >= 0; i--)
            if (ReferenceEquals(_tables[i], table)) return i;
        _tables.Add(table);
        TouchesControl |= table.IsControl;
        return _tables.Count - 1;
    }
}
