namespace DbSync;

/// <summary>
/// The delay of replication, split as T = Tw + Ts + Td: write (COMMIT sent to answered, measured on heartbeats), sync (received to
/// visible) and transfer (commit to received, the clocks' offset taken out).
/// </summary>
/// <remarks>
/// Transactions that were committed before the stream was opened waited for this node to be there, not for replication: they count as lag,
/// and for Ts, but not for Td and T.
/// </remarks>
internal sealed class DelayMeter(TimeProvider time)
{
    private static readonly DateTimeOffset PostgresEpoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly long _startedAt = time.GetTimestamp();
    private readonly long _startedAtMicros = (time.GetUtcNow() - PostgresEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
    private long _offsetMicros;
    private long _followedSinceMicros;

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

    /// <summary>A stream was opened now.</summary>
    public void Follow() => Interlocked.Exchange(ref _followedSinceMicros, MicrosOf(time.GetTimestamp()));

    /// <param name="committedAtMicros">When the primary committed, by its clock.</param>
    /// <param name="receivedAt">When the transaction was received here.</param>
    /// <param name="visibleAt">When readers could see it.</param>
    /// <param name="shard">The delays of the shard that shows it.</param>
    public void Record(long committedAtMicros, long receivedAt, long visibleAt, DelayHistogram shard)
    {
        var sync = time.GetElapsedTime(receivedAt, visibleAt);
        var transfer = TimeSpan.FromMicroseconds(Math.Max(0, MicrosOf(receivedAt) + ClockOffsetMicros - committedAtMicros));
        Sync.Record(sync);
        if (committedAtMicros - ClockOffsetMicros < Interlocked.Read(ref _followedSinceMicros)) return;
        Transfer.Record(transfer);
        Total.Record(sync + transfer);
        shard.Record(sync + transfer);
    }

    /// <summary>A monotonic timestamp on the wall clock, in microseconds since 2000-01-01 UTC.</summary>
    public long MicrosOf(long timestamp) => _startedAtMicros + time.GetElapsedTime(_startedAt, timestamp).Ticks / TimeSpan.TicksPerMicrosecond;
}
