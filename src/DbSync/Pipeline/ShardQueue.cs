using System.Diagnostics.CodeAnalysis;

namespace DbSync;

/// <summary>
/// What waits for one shard: parts of transactions, bounded in bytes and in number, and commands, which go before them.
/// </summary>
internal sealed class ShardQueue(long bytesMax, int partsMax) : IDisposable
{
    private const int ManyParts = 256;
    private const long ManyBytes = 1 << 20;

    private readonly Lock _gate = new();
    private readonly Queue<TransactionPart> _parts = new();
    private readonly Queue<ShardCommand> _commands = new();
    private readonly Queue<ShardCommand> _questions = new();
    private readonly AutoResetEvent _arrived = new(false); // sleeps at once: to spin first would hold up whom it waits for
    private readonly SemaphoreSlim _room = new(0);
    private long _bytes;
    private bool _readerWaits;
    private bool _readerGathers;
    private bool _writerWaits;
    private bool _closed;

    /// <summary>Held by whoever does the shard's work: its own thread, except while that sleeps.</summary>
    public Lock Turn { get; } = new();

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
                    if (!_readerGathers || HasMany) WakeReader();
                    return;
                }
                _writerWaits = true;
            }
            _room.Wait(cancellationToken);
        }
    }

    /// <summary>True when nothing waits, and nobody is waited for, so that who has the <see cref="Turn"/> may go first.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate) return !_closed && !_readerGathers && _parts.Count == 0 && _commands.Count == 0 && _questions.Count == 0;
        }
    }

    /// <summary>Queues a part that takes no room, whatever else waits.</summary>
    public void Append(TransactionPart part)
    {
        lock (_gate)
        {
            if (_closed) return;
            _parts.Enqueue(part);
            WakeReader();
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

    /// <summary>Queues a command that reads only memory, and may run in the middle of a command that writes.</summary>
    public bool Ask(ShardCommand question)
    {
        lock (_gate)
        {
            if (_closed) return false;
            _questions.Enqueue(question);
            WakeReader();
            return true;
        }
    }

    /// <summary>Takes the next question.</summary>
    public bool TryTakeQuestion([NotNullWhen(true)] out ShardCommand? question)
    {
        lock (_gate) return _questions.TryDequeue(out question);
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
                if (_questions.TryDequeue(out command) || _commands.TryDequeue(out command)) return true;
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
            if (!Sleep(timeout)) return false;
        }
    }

    /// <summary>Lets parts come together: returns once there are many, or a command, or after <paramref name="timeout"/>.</summary>
    public void Gather(TimeSpan timeout)
    {
        lock (_gate)
        {
            if (_closed || _questions.Count > 0 || _commands.Count > 0 || HasMany) return;
            _readerWaits = _readerGathers = true;
        }
        Sleep(TimeSpan.FromMilliseconds(Math.Ceiling(timeout.TotalMilliseconds))); // a shorter one would not be a wait at all
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
            while (_questions.TryDequeue(out var command) || _commands.TryDequeue(out command)) command.Cancel();
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

    private bool HasMany => _parts.Count >= ManyParts || _bytes >= ManyBytes;

    /// <summary>Waits to be woken, and gives up the turn meanwhile; false when nobody did within <paramref name="timeout"/>.</summary>
    private bool Sleep(TimeSpan timeout)
    {
        if (!Turn.IsHeldByCurrentThread) return WaitToBeWoken(timeout);
        Turn.Exit();
        try
        {
            return WaitToBeWoken(timeout);
        }
        finally
        {
            Turn.Enter();
        }
    }

    private bool WaitToBeWoken(TimeSpan timeout)
    {
        if (_arrived.WaitOne(timeout)) return true;
        lock (_gate)
        {
            if (_readerWaits)
            {
                _readerWaits = _readerGathers = false;
                return false;
            }
        }
        _arrived.WaitOne(); // a signal raced with the timeout: take it, so that the next wait is one
        return true;
    }

    private void WakeReader()
    {
        if (!_readerWaits) return;
        _readerWaits = _readerGathers = false;
        _arrived.Set();
    }
}
