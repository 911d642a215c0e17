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
    private const int PlacesMax = 100_000;
    private readonly List<ChunkRecord> _chunks;
    private readonly Dictionary<int, object> _inFlight = []; // by chunk, who reads it
    private readonly HashSet<ulong> _dropped;
    private readonly Dictionary<byte[], TransactionSnapshot> _rows = new(KeyComparer.Instance);
    private readonly Dictionary<byte[], int> _places = new(KeyComparer.Instance);
    private readonly bool _ordersAlike;

    public TableCopy(TableRecord record, IEnumerable<ChunkRecord> chunks, IEnumerable<ulong> dropped)
    {
        Record = record;
        _ordersAlike = record.Schema.Key.All(k => record.Schema.Columns[k].OrdersAlike);
        _chunks = [.. chunks];
        _dropped = [.. dropped];
    }

    public TableRecord Record { get; set; }

    public IReadOnlyList<ChunkRecord> Chunks => _chunks;

    public bool IsComplete => Record.Planned && _chunks.TrueForAll(c => c.Snapshot is not null);

    /// <summary>Transactions with a change that was dropped; every snapshot from now on has to see them.</summary>
    public IReadOnlyCollection<ulong> Dropped => _dropped;

    /// <summary>Rows that were read by themselves, each a chunk of one, with the snapshot it was read with.</summary>
    public IReadOnlyDictionary<byte[], TransactionSnapshot> Rows => _rows;

    public ChunkJudgement Judge(ReadOnlySpan<byte> key, uint xid)
    {
        if (!Record.Planned) return ChunkJudgement.Drop;
        if (_rows.Count > 0 && _rows.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out var own))
            return own.Sees(own.Widen(xid)) ? ChunkJudgement.Skip : ChunkJudgement.Apply;
        if (_chunks.Count > 1 && !_ordersAlike && !IsPlaced(key)) return Everywhere(xid) ?? ChunkJudgement.Ask;
        var chunk = _chunks[Find(key)];
        if (_inFlight.ContainsKey(chunk.Number)) return ChunkJudgement.Wait;
        if (chunk.Snapshot is not { } snapshot) return ChunkJudgement.Drop;
        return snapshot.Sees(snapshot.Widen(xid)) ? ChunkJudgement.Skip : ChunkJudgement.Apply;
    }

    /// <summary>The judgement when it is the same in whatever chunk the key is; null when it isn't.</summary>
    private ChunkJudgement? Everywhere(uint xid)
    {
        if (_inFlight.Count > 0) return null;
        bool missing = false, seen = false, unseen = false;
        foreach (var chunk in _chunks)
        {
            if (chunk.Snapshot is not { } snapshot) missing = true;
            else if (snapshot.Sees(snapshot.Widen(xid))) seen = true;
            else unseen = true;
            if (unseen && (missing || seen)) return null;
        }
        if (unseen) return ChunkJudgement.Apply;
        return missing ? ChunkJudgement.Drop : ChunkJudgement.Skip; // to remember what every snapshot sees does no harm
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

    /// <summary>Changes to a chunk wait from now on, for its rows or for the end of this reading, unless another one begins.</summary>
    public void Begin(int chunk, object reading) => _inFlight[chunk] = reading;

    /// <summary>Nothing waits for this reading any more.</summary>
    public void Abandon(int chunk, object reading)
    {
        if (_inFlight.TryGetValue(chunk, out var current) && ReferenceEquals(current, reading)) _inFlight.Remove(chunk);
    }

    public void Plan(IEnumerable<ChunkRecord> chunks)
    {
        _chunks.Clear();
        _chunks.AddRange(chunks);
        _inFlight.Clear();
        _rows.Clear();
        _places.Clear();
        Record = Record with { Planned = true };
    }

    public void Complete(ChunkRecord chunk)
    {
        _chunks[chunk.Number] = chunk;
        _inFlight.Remove(chunk.Number);
    }

    /// <summary>Whether the primary has said already in which chunk a key is.</summary>
    public bool IsPlaced(ReadOnlySpan<byte> key) => _places.GetAlternateLookup<ReadOnlySpan<byte>>().ContainsKey(key);

    /// <summary>Notes in which chunks keys are, as the primary says.</summary>
    public void Place(IReadOnlyList<byte[]> keys, IReadOnlyList<int> chunks)
    {
        if (_places.Count > PlacesMax) _places.Clear();
        for (var i = 0; i < keys.Count; i++) _places[keys[i]] = chunks[i];
    }

    /// <summary>A row was read by itself.</summary>
    public void SetRow(byte[] key, TransactionSnapshot snapshot) => _rows[key] = snapshot;

    /// <summary>The chunk that holds a key: the last one whose lower end is not above it.</summary>
    private int Find(ReadOnlySpan<byte> key)
    {
        if (!_ordersAlike) return _chunks.Count == 1 ? 0 : _places.GetAlternateLookup<ReadOnlySpan<byte>>()[key];
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
