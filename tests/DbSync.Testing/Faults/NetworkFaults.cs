namespace DbSync.Testing;

/// <summary>What a <see cref="FaultProxy"/> does to the bytes that pass; changed by tests while connections run.</summary>
internal sealed class NetworkFaults
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Way _stalled;
    private (long Bytes, Way Way)? _reset;
    private int _held;
    private long _roundTrips;

    public TimeSpan Delay { get; set; }

    public int PieceMax { get; set; } = int.MaxValue;

    /// <summary>How many connections' bytes a stall holds back now, each direction by itself.</summary>
    public int Held => Volatile.Read(ref _held);

    public long RoundTrips => Interlocked.Read(ref _roundTrips);

    public void CountRoundTrip() => Interlocked.Increment(ref _roundTrips);

    public void Stall(Way way)
    {
        lock (_gate) _stalled = way;
    }

    public void ResetAfter(long bytes, Way way)
    {
        lock (_gate) _reset = (bytes, way);
    }

    public void Mend()
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            (_stalled, _reset, Delay, PieceMax) = (Way.None, null, TimeSpan.Zero, int.MaxValue);
            (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }

    /// <summary>Waits until bytes may pass in this direction.</summary>
    public async Task PassAsync(Way way, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if ((_stalled & way) == Way.None) break;
                changed = _changed.Task;
            }

            Interlocked.Increment(ref _held);
            try
            {
                await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                Interlocked.Decrement(ref _held);
            }
        }

        if (Delay > TimeSpan.Zero) await Task.Delay(Delay, TimeProvider.System, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>How many of the next bytes may pass before the connection is reset; null when it isn't to be.</summary>
    public long? Allow(int bytes, Way way)
    {
        lock (_gate)
        {
            if (_reset is not { } reset || (reset.Way & way) == Way.None) return null;
            var allowed = Math.Min(bytes, reset.Bytes);
            _reset = (reset.Bytes - allowed, reset.Way);
            return allowed < bytes ? allowed : null;
        }
    }
}
