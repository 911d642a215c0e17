namespace DbSync;

/// <summary>What the primary's catalog says of the publication, next to what its log has said.</summary>
internal sealed partial class ChangeApplier
{
    /// <summary>How many schema changes are remembered that the catalog may not show yet.</summary>
    private const int RecentMax = 1024;

    private readonly Queue<(TableId Table, uint Xid)> _recent = new();

    /// <summary>Starts what is published and not here, or published anew, and drops what is published no longer.</summary>
    /// <param name="published">The tables of the publication.</param>
    /// <param name="seen">The entries that the tables here had when the publication was read: what has changed since is left as it is.</param>
    /// <param name="looked">
    /// A snapshot no newer than <paramref name="published"/>: a commit is in the log before others see it, as long as a synchronous standby takes,
    /// and what the log has said of a table since then counts. Null: nothing was logged that was not seen.
    /// </param>
    /// <returns>What was started and what was dropped.</returns>
    public (IReadOnlyList<TableSchema> Started, IReadOnlyList<TableSchema> Dropped) Align(
        IReadOnlyList<TableSchema> published, IReadOnlyDictionary<TableId, uint> seen, TransactionSnapshot? looked)
    {
        var here = Tables.Select(t => t.Schema).ToDictionary(t => t.Id);
        var ahead = looked is null ? [] : _recent.Where(c => !looked.Sees(looked.Widen(c.Xid))).Select(c => c.Table).ToHashSet();
        bool HasStayed(TableSchema table) => seen.TryGetValue(table.Id, out var entry) && entry == table.Entry;
        var dropped = here.Values.ExceptBy(published.Select(t => t.Id), t => t.Id).Where(t => HasStayed(t) && !ahead.Contains(t.Id)).ToList();
        var started = published.Where(t => !ahead.Contains(t.Id) && (!here.TryGetValue(t.Id, out var known) || (known.Entry != t.Entry && HasStayed(known)))).ToList();
        foreach (var table in dropped) Drop(table.Id);
        foreach (var table in started) Start(table);
        return (started, dropped);
    }

    /// <summary>The log has said something new of a table.</summary>
    private void Learn(TableId table, uint xid)
    {
        if (_recent.Count == RecentMax) _recent.Dequeue();
        _recent.Enqueue((table, xid));
    }
}
