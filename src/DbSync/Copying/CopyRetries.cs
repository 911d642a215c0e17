namespace DbSync;

/// <summary>The tables whose copy failed, and when each is tried again: with growing waits, and beside the others. For any thread.</summary>
internal sealed class CopyRetries(CopyOptions options, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TableId, (DbSyncException Reason, TimeSpan Delay, long Since)> _failed = [];

    /// <summary>Why one of them failed; null when none has.</summary>
    public DbSyncException? Failure { get; private set; }

    public bool IsDue(TableId table)
    {
        lock (_gate) return !_failed.TryGetValue(table, out var failed) || time.GetElapsedTime(failed.Since) >= failed.Delay;
    }

    /// <summary>Notes a failure; false when the table has failed like this before.</summary>
    public bool Failed(TableId table, DbSyncException reason)
    {
        lock (_gate)
        {
            var again = _failed.TryGetValue(table, out var before);
            var delay = again ? TimeSpan.FromTicks(Math.Min(before.Delay.Ticks * 2, options.RetryDelayMax.Ticks)) : options.RetryDelay;
            _failed[table] = (reason, delay, time.GetTimestamp());
            Failure = reason;
            return !again || before.Reason.Code != reason.Code;
        }
    }

    public void Succeeded(TableId table)
    {
        lock (_gate)
        {
            if (_failed.Remove(table)) Failure = _failed.Values.Select(f => f.Reason).FirstOrDefault();
        }
    }

    /// <summary>Forgets the tables that are no longer missing.</summary>
    public void KeepOnly(IEnumerable<TableSchema> missing)
    {
        lock (_gate)
        {
            foreach (var gone in _failed.Keys.Except(missing.Select(t => t.Id)).ToList()) Succeeded(gone);
        }
    }
}
