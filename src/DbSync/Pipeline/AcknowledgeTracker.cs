namespace DbSync;

/// <summary>Acknowledges the smallest position that is durable in every shard of the node, and never anything else.</summary>
internal sealed class AcknowledgeTracker(IReadOnlyList<ShardWorker> shards)
{
    private readonly Lock _gate = new();
    private IChangeStream? _stream;
    private Lsn _acknowledged;

    public Lsn Acknowledged
    {
        get
        {
            lock (_gate) return _acknowledged;
        }
    }

    public void Attach(IChangeStream? stream)
    {
        lock (_gate) _stream = stream;
        Advance();
    }

    /// <summary>Tells the primary when the smallest durable position has moved.</summary>
    public void Advance()
    {
        lock (_gate)
        {
            var durable = shards[0].Durable;
            for (var i = 1; i < shards.Count; i++) durable = Lsn.Min(durable, shards[i].Durable);
            if (_stream is null || durable <= _acknowledged) return;
            _stream.Acknowledge(durable);
            _acknowledged = durable;
        }
        Failpoint.Hit(Failpoint.AfterAcknowledge);
    }
}
