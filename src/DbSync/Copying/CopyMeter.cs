namespace DbSync;

/// <summary>How fast each table is copied, and when it will be done.</summary>
internal sealed class CopyMeter(TimeProvider time)
{
    private const int RowsToTell = 10_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<TableId, Run> _runs = [];
    private double _rows;
    private double _seconds;

    /// <summary>A table's chunks are about to be read.</summary>
    public void Begin(TableSchema table, int missing, int chunks)
    {
        lock (_gate) _runs[table.Id] = new Run(table.ToString(), time.GetTimestamp(), chunks - missing, chunks);
    }

    /// <summary>One more chunk is here.</summary>
    public void Read(TableSchema table, long rows)
    {
        lock (_gate)
            if (_runs.TryGetValue(table.Id, out var run)) _runs[table.Id] = run with { Read = run.Read + 1, Rows = run.Rows + rows };
    }

    public void End(TableSchema table)
    {
        lock (_gate)
        {
            if (!_runs.Remove(table.Id, out var run)) return;
            _rows += run.Rows;
            _seconds += time.GetElapsedTime(run.StartedAt).TotalSeconds;
        }
    }

    /// <summary>Rows a second over all tables that this process has copied; null before it has copied enough to tell.</summary>
    public double? RowsPerSecond
    {
        get
        {
            lock (_gate) return _rows >= RowsToTell ? _rows / Math.Max(0.001, _seconds) : null;
        }
    }

    /// <summary>The tables that are being copied now.</summary>
    public IReadOnlyList<TableCopyStatus> Status()
    {
        lock (_gate) return [.. _runs.Values.Select(StatusOf)];
    }

    private TableCopyStatus StatusOf(Run run)
    {
        var seconds = Math.Max(0.001, time.GetElapsedTime(run.StartedAt).TotalSeconds);
        var done = run.Before + run.Read;
        return new TableCopyStatus(
            run.Table, run.Rows / seconds, run.Chunks == 0 ? 0 : 100.0 * done / run.Chunks,
            run.Read == 0 ? null : (run.Chunks - done) * seconds * 1000 / run.Read);
    }

    private sealed record Run(string Table, long StartedAt, int Before, int Chunks, int Read = 0, long Rows = 0);
}

/// <summary>The copy of one table.</summary>
/// <param name="Table">As the replica names it.</param>
/// <param name="RowsPerSecond">Since this process began to read it.</param>
/// <param name="Percent">Of its chunks, which are about equally large.</param>
/// <param name="EtaMs">When the last chunk is read, at this rate; null before the first.</param>
internal sealed record TableCopyStatus(string Table, double RowsPerSecond, double Percent, double? EtaMs);
