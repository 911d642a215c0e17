namespace DbSync.Testing;

/// <summary>
/// What the primary has acknowledged to anybody, and when: the least that a read of everything may show. Each write adds one. Thread-safe.
/// </summary>
public sealed class AcknowledgedWrites
{
    private readonly Lock _gate = new();
    private readonly List<long> _times = [];

    /// <summary>How many there are now: a read that begins from now on, and sees all that was committed before it, sees as many.</summary>
    public long Now
    {
        get
        {
            lock (_gate) return _times.Count;
        }
    }

    /// <summary>How many there were so long ago.</summary>
    public long Before(TimeSpan age)
    {
        var time = TimeProvider.System;
        var now = time.GetTimestamp();
        lock (_gate)
        {
            var count = _times.Count;
            while (count > 0 && time.GetElapsedTime(_times[count - 1], now) < age) count--;
            return count;
        }
    }

    /// <summary>Another write was acknowledged.</summary>
    public void Add()
    {
        lock (_gate) _times.Add(TimeProvider.System.GetTimestamp());
    }
}
