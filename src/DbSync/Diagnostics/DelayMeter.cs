namespace DbSync;

/// <summary>
/// The delay of replication, split as T = Tw + Ts + Td: write (COMMIT sent to answered, measured on heartbeats), sync (received to
/// visible) and transfer (commit to received, the clocks' offset taken out).
/// </summary>
internal sealed class DelayMeter(TimeProvider time)
{
    private static readonly DateTimeOffset PostgresEpoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly long _startedAt = time.GetTimestamp();
    private readonly long _startedAtMicros = (time.GetUtcNow() - PostgresEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
    private long _offsetMicros;

    public DelayHistogram Write { get; } = new();

    public DelayHistogram Sync { get; } = new();

    public DelayHistogram Transfer { get; } = new();

    public DelayHistogram Total { get; } = new();

    /// <summary>How far the primary's clock is ahead of this one's, in microseconds.</summary>
    public long ClockOffsetMicros
    {
        get => Interlocked.Read(ref _offsetMicros);
        set => Interlocked.Exchange(ref _offsetMicros, value);
    }

    public void Record(long committedAtMicros, long receivedAt, long visibleAt)
    {
        var sync = time.GetElapsedTime(receivedAt, visibleAt);
        var transfer = TimeSpan.FromMicroseconds(Math.Max(0, MicrosOf(receivedAt) + ClockOffsetMicros - committedAtMicros));
        Sync.Record(sync);
        Transfer.Record(transfer);
        Total.Record(sync + transfer);
    }

    /// <summary>A monotonic timestamp on the wall clock, in microseconds since 2000-01-01 UTC.</summary>
    public long MicrosOf(long timestamp) => _startedAtMicros + time.GetElapsedTime(_startedAt, timestamp).Ticks / TimeSpan.TicksPerMicrosecond;
}
