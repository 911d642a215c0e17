namespace DbSync;

/// <summary>Lets readers wait until every shard of the node has applied a position.</summary>
internal sealed class PositionWaiter
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<TaskCompletionSource, ulong> _waiting = new();
    private Lsn _applied;

    /// <summary>How many wait.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _waiting.Count;
        }
    }

    /// <summary>Ends when <paramref name="position"/> is applied.</summary>
    public Task WaitAsync(Lsn position, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_applied >= position) return Task.CompletedTask;
            _waiting.Enqueue(waiter, position.Value);
        }
        if (cancellationToken.CanBeCanceled) GiveUpOn(waiter, cancellationToken);
        return waiter.Task;
    }

    /// <summary>Who gives up leaves the queue: behind a stale replica it would grow with every reader.</summary>
    private void GiveUpOn(TaskCompletionSource waiter, CancellationToken cancellationToken)
    {
        var giveUp = cancellationToken.UnsafeRegister(
            _ =>
            {
                lock (_gate) _waiting.Remove(waiter, out var _, out var _);
                waiter.TrySetCanceled(cancellationToken);
            },
            null);
        _ = waiter.Task.ContinueWith(_ => giveUp.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
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
