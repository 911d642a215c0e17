namespace DbSync;

/// <summary>Lets readers wait until every shard of the node has applied a position.</summary>
internal sealed class PositionWaiter
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<TaskCompletionSource, ulong> _waiting = new();
    private Lsn _applied;

    /// <summary>Ends when <paramref name="position"/> is applied.</summary>
    public Task WaitAsync(Lsn position, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_applied >= position) return Task.CompletedTask;
            var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(waiter, position.Value);
            return waiter.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Notes what every shard has applied.</summary>
    public void Advance(Lsn applied)
    {
        lock (_gate)
        {
            if (applied <= _applied) return;
            _applied = applied;
            while (_waiting.TryPeek(out _, out var position) && position <= applied.Value) _waiting.Dequeue().TrySetResult();
        }
    }
}
