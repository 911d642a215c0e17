namespace DbSync;

/// <summary>Sharded tables of which other buckets belong here than before.</summary>
internal sealed partial class ChangeApplier
{
    private readonly Dictionary<TableId, BucketSet> _arriving = [];
    private readonly Dictionary<TableId, BucketSet> _leaving = [];

    /// <summary>Tables with rows of buckets that are no longer held here, and the buckets.</summary>
    public IEnumerable<(TableSchema Table, BucketSet Buckets)> Leaving =>
        _leaving.Where(l => _live.ContainsKey(l.Key)).Select(l => (_live[l.Key].Schema, l.Value));

    /// <summary>True while buckets that belong here are still being copied.</summary>
    public bool IsArriving => _arriving.Count > 0 || IsIncomplete;

    /// <summary>
    /// A new layout holds from here on. What a table is to get is copied beside it, and takes its place when complete; what it has given up
    /// is deleted bit by bit. A table whose key has changed, or that is under copy, is copied again.
    /// </summary>
    public void Switch(ShardLayout layout)
    {
        var before = _store.LoadLayout();
        _store.SaveLayout(layout);
        var (held, holds) = (before?.HeldBy(_store.Id) ?? new BucketSet(), layout.HeldBy(_store.Id));
        foreach (var table in Tables.Select(t => t.Schema).ToList())
        {
            if (layout.ChangesKey(before, table.ReplicaName)) Start(table);
            else if (layout.Keys.ContainsKey(table.ReplicaName)) Rearrange(table, holds.Except(held), held.Except(holds), layout.Map.OwnedBy(_store.Id));
        }
        Reenter();
    }

    /// <summary>Deletes some rows of a bucket that is no longer held here.</summary>
    /// <param name="table">The table.</param>
    /// <param name="after">Where to begin, by the key; null at the first row.</param>
    /// <param name="rowsMax">How many rows to look at.</param>
    /// <returns>Where to go on; null when all has been looked at.</returns>
    public byte[]? Purge(TableSchema table, byte[]? after, int rowsMax)
    {
        if (!_live.TryGetValue(table.Id, out var live) || !_leaving.TryGetValue(table.Id, out var buckets) || _store.LoadLayout() is not { } layout) return null;
        if (layout.Keys.GetValueOrDefault(live.Schema.ReplicaName) is { } rule)
        {
            var key = rule.OverIdentity(live.Schema);
            if (_store.DeleteSome(live.Schema, after, rowsMax, identity => buckets.Contains(key.BucketOf(identity))) is { } next) return next;
        }
        _leaving.Remove(table.Id);
        _store.SaveLeaving(table.Id, null);
        return null;
    }

    private void LoadBuckets()
    {
        _arriving.Clear();
        _leaving.Clear();
        foreach (var (table, buckets) in _store.LoadArriving()) _arriving.Add(table, buckets);
        foreach (var (table, buckets) in _store.LoadLeaving()) _leaving.Add(table, buckets);
    }

    private void Rearrange(TableSchema table, BucketSet gained, BucketSet lost, BucketSet owned)
    {
        var was = _arriving.GetValueOrDefault(table.Id);
        var arriving = (was ?? new BucketSet()).Except(lost).Union(gained);
        if (!arriving.Intersect(owned).IsEmpty || (!_live.ContainsKey(table.Id) && !(gained.IsEmpty && lost.IsEmpty)))
        {
            Start(table); // of what it owns readers would find too little
            return;
        }
        if (gained.IsEmpty && lost.IsEmpty) return;
        var leaving = _leaving.GetValueOrDefault(table.Id) ?? new BucketSet();
        SaveLeaving(table.Id, leaving.Union(was is null ? lost : lost.Except(was)));
        SaveArriving(table.Id, arriving);
        var hadShadow = _copies.ContainsKey(table.Id.Shadow);
        DropShadow(table.Id); // its rows are those of the layout before
        if (!arriving.IsEmpty || (hadShadow && was is null)) StartBeside(table);
    }

    private void SaveArriving(TableId table, BucketSet buckets)
    {
        if (buckets.IsEmpty) _arriving.Remove(table);
        else _arriving[table] = buckets;
        _store.SaveArriving(table, buckets.IsEmpty ? null : buckets);
    }

    private void SaveLeaving(TableId table, BucketSet buckets)
    {
        if (buckets.IsEmpty && !_leaving.ContainsKey(table)) return;
        if (buckets.IsEmpty) _leaving.Remove(table);
        else _leaving[table] = buckets;
        _store.SaveLeaving(table, buckets.IsEmpty ? null : buckets);
    }

    /// <summary>The table's rows are others now: exactly those that belong here.</summary>
    private void ForgetBuckets(TableId table)
    {
        if (_arriving.Remove(table)) _store.SaveArriving(table, null);
        if (_leaving.Remove(table)) _store.SaveLeaving(table, null);
    }

    /// <summary>A table that was suspect has lost the copy beside it, with the buckets that it is about to get.</summary>
    private void CopyArriving(TableSchema table)
    {
        if (_arriving.ContainsKey(table.Id) && _live.ContainsKey(table.Id)) StartBeside(table);
    }

    private Arrival? ArrivalOf(TableSchema table) =>
        _arriving.TryGetValue(table.Id, out var buckets) && _store.LoadLayout()?.Keys.GetValueOrDefault(table.ReplicaName) is { } rule
            ? new Arrival(buckets, rule.OverIdentity(table))
            : null;

    /// <summary>Takes of a change what is not for the buckets that are still on their way here.</summary>
    private void ApplySettled(ref ChangeReader reader, TableSchema table, Arrival arrival)
    {
        var cells = reader.Cells;
        switch (reader.Kind)
        {
            case ChangeKind.Replace:
                reader.Split(out var identity, out var row);
                if (!arrival.Has(IdentityOfRow(table, row))) ApplyLive(ref reader, table);
                else if (_store.Delete(table, identity) is not 1 and var found) throw Missed(table, reader.Kind, found);
                return;
            case ChangeKind.Delete:
                if (!arrival.Has(cells)) ApplyLive(ref reader, table);
                return;
            case ChangeKind.Insert or ChangeKind.Update:
                if (!arrival.Has(IdentityOfRow(table, cells))) ApplyLive(ref reader, table);
                return;
            default:
                ApplyLive(ref reader, table);
                return;
        }
    }

    private ReadOnlySpan<byte> IdentityOfRow(TableSchema table, ReadOnlySpan<byte> row) => table.HasKey ? KeyOfRow(table, row) : row;

    /// <summary>Buckets that a table is about to get.</summary>
    private sealed record Arrival(BucketSet Buckets, ShardKey Key)
    {
        public bool Has(ReadOnlySpan<byte> identity) => Buckets.Contains(Key.BucketOf(identity));
    }
}
