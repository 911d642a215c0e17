namespace DbSync.Postgres;

/// <summary>
/// The transactions that the primary streams before their end, several at a time in blocks of each: what belongs to one is kept until its
/// commit, and dropped at its rollback.
/// </summary>
/// <remarks>Source: PostgreSQL manual, "Logical Streaming Replication Parameters" and "Logical Replication Message Formats".</remarks>
internal sealed class StreamedTransactions(SpillDirectory directory) : IDisposable
{
    private const int BlockBytes = 64 << 10;
    private const int FrameBytes = 16;

    private readonly Dictionary<uint, StreamedTransaction> _open = [];
    private readonly ChangeBuffer _block = new(BlockBytes + FrameBytes);
    private StreamedTransaction? _current;

    /// <summary>True between the beginning and the end of a block.</summary>
    public bool IsInBlock => _current is not null;

    /// <summary>Counts announcements of tables, within blocks and outside: for what comes after a commit the newest counts.</summary>
    public long Announcement { get; set; }

    /// <summary>How many transactions have been handed back for their commit.</summary>
    public long Committed { get; private set; }

    /// <summary>A block of a transaction begins.</summary>
    public void Start(ref WireReader reader)
    {
        var (xid, first) = (reader.UInt32(), reader.Byte());
        reader.End();
        if (xid == 0 || first > 1 || _open.ContainsKey(xid) == (first == 1)) throw WireReader.Malformed("a block of a transaction that does not follow on what came of it");
        if (first == 1) _open.Add(xid, new StreamedTransaction(xid, directory));
        _current = _open[xid];
    }

    /// <summary>Takes a message within a block.</summary>
    public void Take(ReadOnlySpan<byte> message)
    {
        var reader = new WireReader(message);
        var kind = reader.Byte();
        switch (kind)
        {
            case (byte)'E':
                reader.End();
                Keep();
                _current = null;
                Failpoint.Hit(Failpoint.AfterSpilledBlock);
                return;
            case (byte)'I' or (byte)'U' or (byte)'D' or (byte)'T' or (byte)'R':
                Spill(kind, reader.UInt32(), message[5..]);
                return;
            case (byte)'Y' or (byte)'M' or (byte)'O':
                return;
            default:
                throw WireReader.Malformed("a message that does not belong into a block of a transaction");
        }
    }

    /// <summary>A transaction, or one of its subtransactions, was rolled back.</summary>
    public void Abort(ref WireReader reader)
    {
        var (xid, subtransaction) = (reader.UInt32(), reader.UInt32());
        reader.End();
        if (_current is not null || !_open.TryGetValue(xid, out var transaction)) throw WireReader.Malformed("a rollback of a transaction that was not streamed");
        if (xid != subtransaction)
        {
            transaction.Abort(subtransaction);
            return;
        }
        _open.Remove(xid);
        transaction.Dispose();
    }

    /// <summary>A transaction has committed: hands it over.</summary>
    public StreamedTransaction Commit(uint xid)
    {
        if (_current is not null || !_open.Remove(xid, out var transaction)) throw WireReader.Malformed("a commit of a transaction that was not streamed");
        Committed++;
        return transaction;
    }

    public void Dispose()
    {
        foreach (var transaction in _open.Values) transaction.Dispose();
        _open.Clear();
        _current = null;
    }

    private void Spill(byte kind, uint subtransaction, ReadOnlySpan<byte> body)
    {
        if (subtransaction == 0) throw WireReader.Malformed("a change of no transaction");
        _current!.Write(subtransaction, _current.Length + _block.Length);
        if (kind == 'R' && body.Length >= sizeof(uint)) _current.Announced[new WireReader(body).UInt32()] = ++Announcement;
        if (_block.Length + body.Length > BlockBytes) Keep();
        StreamedTransaction.Frame(_block, kind, body.Length);
        if (body.Length < BlockBytes)
        {
            _block.Append(body);
            return;
        }
        Keep();
        _current.Append(body); // a giant is not copied
    }

    private void Keep()
    {
        if (_block.Length > 0) _current!.Append(_block.Written);
        _block.Clear();
    }
}
