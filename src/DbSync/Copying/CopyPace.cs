namespace DbSync;

/// <summary>Keeps the initial copy below a rate: after each chunk it waits until the chunk's bytes are paid for, with nothing open on the primary.</summary>
/// <param name="bytesPerSecondMax">The rate, in decoded bytes; null for none.</param>
/// <param name="time">The clock.</param>
internal sealed class CopyPace(long? bytesPerSecondMax, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly long _started = time.GetTimestamp();
    private TimeSpan _paidUntil;

    public Task SpendAsync(long bytes, CancellationToken cancellationToken)
    {
        if (bytesPerSecondMax is not { } rate) return Task.CompletedTask;
        TimeSpan wait;
        lock (_gate)
        {
            var now = time.GetElapsedTime(_started);
            _paidUntil = (_paidUntil > now ? _paidUntil : now) + TimeSpan.FromSeconds((double)bytes / rate);
            wait = _paidUntil - now;
        }
        return Task.Delay(wait, time, cancellationToken);
    }
}
