namespace DbSync;

/// <summary>
/// What waits for one shard: parts of transactions, bounded in bytes and in number, and commands, which go before them.
/// </summary>
internal sealed class ShardQueue(long bytesMax, int partsMax) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Queue<TransactionPart> _parts = new();
    private readonly Queue<ShardCommand> _commands = new();
    private readonly SemaphoreSlim _arrived = new(0);
    private readonly SemaphoreSlim _room = new(0);
    private long _bytes;
    private bool _readerWaits;
    private bool _writerWaits;
    private bool _closed;

    /// <summary>True once the shard takes nothing more.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_gate) return _closed;
        }
    }

    /// <summary>Queues a part, waiting while the queue is full.</summary>
    public void Enqueue(TransactionPart part, CancellationToken cancellationToken)
    {
        while (true)
        {
            lock (_gate)
            {
                if (_closed) throw new OperationCanceledException("The shard has stopped.");
                if (_parts.Count == 0 || (_bytes < bytesMax && _parts.Count < partsMax))
                {
                    _parts.Enqueue(part);
                    _bytes += part.Changes.Length;
                    WakeReader();
                    return;
                }
                _writerWaits = true;
            }
            _room.Wait(cancellationToken);
        }
    }

    /// <summary>Queues a command. It runs on the shard's thread, between two changes; false when the shard has stopped.</summary>
    public bool Post(ShardCommand command)
    {
        lock (_gate)
        {
            if (_closed) return false;
            _commands.Enqueue(command);
            WakeReader();
            return true;
        }
    }

    /// <summary>Takes the next command, or the next part when <paramref name="commandsOnly"/> is false.</summary>
    /// <returns>False when nothing came within <paramref name="timeout"/>.</returns>
    public bool Take(TimeSpan timeout, bool commandsOnly, out ShardCommand? command, out TransactionPart? part)
    {
        while (true)
        {
            lock (_gate)
            {
                part = null;
                if (_commands.TryDequeue(out command)) return true;
                if (!commandsOnly && _parts.TryDequeue(out part))
                {
                    _bytes -= part.Changes.Length;
                    if (_writerWaits && _bytes <= bytesMax / 2 && _parts.Count <= partsMax / 2)
                    {
                        _writerWaits = false;
                        _room.Release();
                    }
                    return true;
                }
                if (timeout == TimeSpan.Zero) return false;
                _readerWaits = true;
            }
            if (_arrived.Wait(timeout)) continue;
            lock (_gate)
            {
                if (_readerWaits)
                {
                    _readerWaits = false;
                    return false;
                }
            }
            _arrived.Wait(CancellationToken.None); // a release raced with the timeout: take it, so that the count stays right
        }
    }

    /// <summary>Drops the parts that wait.</summary>
    public void Clear(PartPool pool)
    {
        lock (_gate)
        {
            while (_parts.TryDequeue(out var part)) pool.Return(part);
            _bytes = 0;
            if (!_writerWaits) return;
            _writerWaits = false;
            _room.Release();
        }
    }

    /// <summary>Refuses everything from now on; a writer that waits is let go.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            while (_commands.TryDequeue(out var command)) command.Cancel();
            if (!_writerWaits) return;
            _writerWaits = false;
            _room.Release();
        }
    }

    public void Dispose()
    {
        _arrived.Dispose();
        _room.Dispose();
    }

    private void WakeReader()
    {
        if (!_readerWaits) return;
        _readerWaits = false;
        _arrived.Release();
    }
}
