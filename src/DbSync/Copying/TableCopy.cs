namespace DbSync;

/// <summary>
/// One shard's view of a table whose initial copy is under way. While transactions stream in, it decides which of their changes the
/// copied rows already hold. The rule: a change of transaction X to a key of chunk C is skipped exactly when C's snapshot sees X.
/// </summary>
/// <remarks>
/// Two changes of one row are ordered by the row's lock, and a transaction lets go of its locks only after it became visible; so whoever
/// sees the later change sees the earlier one too, and a row's history is never applied with a hole.
/// </remarks>
internal sealed class TableCopy
{
    private readonly List<ChunkRecord> _chunks;
    private readonly HashSet<int> _inFlight = [];
    private readonly HashSet<ulong> _dropped;

    public TableCopy(TableRecord record, IEnumerable<ChunkRecord> chunks, IEnumerable<ulong> dropped)
    {
        Record = record;
        _chunks = [.. chunks];
        _dropped = [.. dropped];
    }

    public TableRecord Record { get; set; }

    public IReadOnlyList<ChunkRecord> Chunks => _chunks;

    public bool IsComplete => Record.Planned && _chunks.TrueForAll(c => c.Snapshot is not null);

    /// <summary>Transactions with a change that was dropped; every snapshot from now on has to see them.</summary>
    public IReadOnlyCollection<ulong> Dropped => _dropped;

    public ChunkJudgement Judge(ReadOnlySpan<byte> key, uint xid)
    {
        if (!Record.Planned) return ChunkJudgement.Drop;
        var chunk = _chunks[Find(key)];
        if (_inFlight.Contains(chunk.Number)) return ChunkJudgement.Wait;
        if (chunk.Snapshot is not { } snapshot) return ChunkJudgement.Drop;
        return snapshot.Sees(snapshot.Widen(xid)) ? ChunkJudgement.Skip : ChunkJudgement.Apply;
    }

    /// <summary>The judgement on a TRUNCATE: Skip when every chunk here has seen it, Wait while one is being read, Apply otherwise.</summary>
    public ChunkJudgement JudgeTruncate(uint xid)
    {
        if (_inFlight.Count > 0) return ChunkJudgement.Wait;
        return _chunks.TrueForAll(c => c.Snapshot is not { } s || s.Sees(s.Widen(xid))) ? ChunkJudgement.Skip : ChunkJudgement.Apply;
    }

    /// <summary>Remembers a transaction whose change was dropped; false when it is remembered already.</summary>
    public bool Remember(ulong xid) => _dropped.Add(xid);

    public int Forget(ulong below) => _dropped.RemoveWhere(x => x < below);

    public void Begin(int chunk) => _inFlight.Add(chunk);

    public void Abandon(int chunk) => _inFlight.Remove(chunk);

    public void Plan(IEnumerable<ChunkRecord> chunks)
    {
        _chunks.Clear();
        _chunks.AddRange(chunks);
        _inFlight.Clear();
        Record = Record with { Planned = true };
    }

    public void Complete(ChunkRecord chunk)
    {
        _chunks[chunk.Number] = chunk;
        _inFlight.Remove(chunk.Number);
    }

    /// <summary>The chunk that holds a key: the last one whose lower end is not above it.</summary>
    private int Find(ReadOnlySpan<byte> key)
    {
        int low = 0, high = _chunks.Count - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (Compare(_chunks[middle].Lower!.Cells, key) <= 0) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    private static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        while (!left.IsEmpty)
        {
            var order = Cell.Compare(Cell.Read(ref left), Cell.Read(ref right));
            if (order != 0) return order;
        }
        return 0;
    }
}
