namespace DbSync;

/// <summary>Measures, for every transaction of one shard, how long it took from received to visible (Ts), batch by batch.</summary>
internal sealed class CommitClock(DelayMeter delays, TimeProvider time)
{
    /// <summary>Commit to visible, of this shard.</summary>
    public DelayHistogram Total { get; } = new();

    private readonly List<(long ReceivedAt, long CommittedAtMicros)> _batch = [];

    public void Applied(TransactionPart part) => _batch.Add((part.ReceivedAt, part.CommittedAtMicros));

    public void Visible()
    {
        if (_batch.Count == 0) return;
        var now = time.GetTimestamp();
        foreach (var (receivedAt, committedAtMicros) in _batch) delays.Record(committedAtMicros, receivedAt, now, Total);
        _batch.Clear();
    }

    public void Forget() => _batch.Clear();
}
