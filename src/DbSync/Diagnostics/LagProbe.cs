namespace DbSync;

/// <summary>
/// Lag in time that can't lie: heartbeats go through the primary's log like any commit, and one clock measures when they become visible
/// here. A heartbeat that does not come makes the lag grow.
/// </summary>
internal sealed class LagProbe(TimeProvider time)
{
    private const int OutstandingMax = 1024;
    private readonly Lock _gate = new();
    private readonly Queue<(Lsn Position, long SentAt)> _outstanding = new();
    private TimeSpan? _last;

    public void Sent(Lsn position, long sentAt)
    {
        lock (_gate)
        {
            if (_outstanding.Count < OutstandingMax) _outstanding.Enqueue((position, sentAt));
        }
    }

    public void Visible(Lsn applied)
    {
        lock (_gate)
        {
            while (_outstanding.TryPeek(out var beat) && beat.Position <= applied)
            {
                _last = time.GetElapsedTime(beat.SentAt);
                _outstanding.Dequeue();
            }
        }
    }

    /// <summary>The lag now; null before the first heartbeat.</summary>
    public TimeSpan? Lag
    {
        get
        {
            lock (_gate)
            {
                if (!_outstanding.TryPeek(out var oldest)) return _last;
                var waiting = time.GetElapsedTime(oldest.SentAt);
                return _last is { } last && last > waiting ? last : waiting;
            }
        }
    }
}
