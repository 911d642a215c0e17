namespace DbSync;

/// <summary>
/// Makes the shards of a node commit at the same ends of transactions, so that a reader can find all of them at one position. While one
/// batch is being committed the next one gathers; it is closed with a marker in every queue as soon as all shards have committed the one
/// before, and committed as soon as all have come to the marker.
/// </summary>
internal sealed class CommitGate
{
    private readonly Lock _gate = new();
    private readonly IReadOnlyList<ShardWorker> _shards;
    private readonly PartPool _pool;
    private long _round;
    private int _uncommitted;
    private int _arrived;
    private bool _between = true;
    private bool _gathered;
    private bool _failed;
    private int _left;
    private TaskCompletionSource? _settling;

    public CommitGate(IReadOnlyList<ShardWorker> shards, PartPool pool)
    {
        (_shards, _pool) = (shards, pool);
        foreach (var shard in shards) shard.Gate = this;
    }

    /// <summary>The router is about to queue a share for every shard: no marker may come in between.</summary>
    public void BeginQueueing()
    {
        lock (_gate) _between = false;
    }

    /// <summary>Every shard has its share.</summary>
    /// <param name="ends">Whether the transaction ends with it.</param>
    public void EndQueueing(bool ends)
    {
        lock (_gate)
        {
            if (!ends) return;
            (_between, _gathered) = (true, true);
            CloseWhenDue();
        }
    }

    /// <summary>A shard has come to the marker; true for the last one, which has to <see cref="Release"/> all.</summary>
    public bool Arrive()
    {
        lock (_gate) return ++_arrived == _shards.Count || _failed || _left > 0;
    }

    /// <summary>Has all shards commit.</summary>
    public void Release()
    {
        lock (_gate) Post();
    }

    /// <summary>A shard has committed; false when what it was told belongs to a stream that broke.</summary>
    public void Committed(long round)
    {
        lock (_gate)
        {
            if (round != _round || --_uncommitted > 0) return;
            CloseWhenDue();
            if (_uncommitted == 0) Settled();
        }
    }

    /// <summary>True while a release of <paramref name="round"/> counts.</summary>
    public bool IsCurrent(long round)
    {
        lock (_gate) return round == _round;
    }

    /// <summary>
    /// The stream broke. Ends when all shards have committed what is whole in their queues; at once when a transaction is half queued, for
    /// then they have to go back to their last common position.
    /// </summary>
    public Task SettleAsync()
    {
        lock (_gate)
        {
            if (_failed || _left > 0 || !_between || (_uncommitted == 0 && !_gathered)) return Task.CompletedTask;
            _settling ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _settling.Task;
        }
    }

    /// <summary>The stream broke and every queue is empty.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            _round++;
            (_uncommitted, _arrived, _between, _gathered) = (0, 0, true, false);
            Settled();
        }
    }

    /// <summary>A shard has stopped because of an error: nobody waits for it.</summary>
    public void Fail()
    {
        lock (_gate)
        {
            _failed = true;
            Post();
            Settled();
        }
    }

    /// <summary>A shard has done all that it was given, and stops: it comes to no marker any more, and nobody waits for it.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            _left++;
            Post();
            Settled();
        }
    }

    /// <summary>True once a shard has failed, or all others have stopped: what they owe won't come.</summary>
    public bool HasFailed
    {
        get
        {
            lock (_gate) return _failed || _left >= _shards.Count - 1;
        }
    }

    /// <summary>What every shard has on disk: no shard asks for anything older again.</summary>
    public Lsn Durable => _shards.Min(s => s.Durable);

    /// <summary>Wakes whoever waits on its commands alone.</summary>
    public void WakeAll()
    {
        foreach (var shard in _shards) shard.Queue.Post(new ShardCommand(() => { }, () => { }));
    }

    private void CloseWhenDue()
    {
        if (_failed || !_between || !_gathered || _uncommitted > 0) return;
        (_gathered, _uncommitted, _arrived) = (false, _shards.Count, 0);
        foreach (var shard in _shards)
        {
            var marker = _pool.Rent();
            marker.EndsBatch = true;
            shard.Queue.Append(marker);
        }
    }

    private void Settled()
    {
        _settling?.TrySetResult();
        _settling = null;
    }

    private void Post()
    {
        var round = _round;
        foreach (var shard in _shards) shard.Queue.Post(new ShardCommand(() => shard.CommitWithOthers(round), () => { }));
    }
}
