using System.Diagnostics;

namespace DbSync;

/// <summary>
/// The one writer of one shard: a thread that takes parts and commands from its queue, applies them, and decides when to commit, when to
/// make the position durable and when to copy SQLite's log back. Readers see a transaction when its commit returns.
/// </summary>
internal sealed class ShardWorker : IDisposable
{
    private readonly IShardStore _store;
    private readonly PipelineOptions _options;
    private readonly PartPool _pool;
    private readonly TimeProvider _time;
    private readonly Thread _thread;
    private readonly CommitClock _clock;
    private readonly List<(Action Committed, Action Cancel)> _awaitingCommit = [];
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool _open;
    private bool _atBoundary = true;
    private bool _skipping;
    private bool _insideChange;
    private bool _discarded;
    private int _batchChanges;
    private long _batchStartedAt;
    private long _barrierAt;
    private long _committedAt;
    private Lsn _next;
    private ulong _applied;
    private ulong _durable;
    private volatile bool _draining;
    private volatile bool _isCopying;

    public ShardWorker(IShardStore store, PipelineOptions options, PartPool pool, DelayMeter delays, TimeProvider time)
    {
        _store = store;
        _options = options;
        _pool = pool;
        _time = time;
        _clock = new CommitClock(delays, time);
        Queue = new ShardQueue(options.QueueBytesMax, options.QueuePartsMax);
        Applier = new ChangeApplier(store) { WaitForChunk = WaitForChunk };
        _next = store.Position;
        _applied = store.Position.Value; // but not known to be durable: the process may have died before it was synced
        _isCopying = Applier.Copies.Count > 0;
        _barrierAt = time.GetTimestamp();
        _thread = new Thread(Run) { IsBackground = true, Name = $"dbsync shard {store.Id}" };
    }

    /// <summary>Raised on the worker's thread after each commit that moved the position.</summary>
    public Action<ShardWorker>? Committed { get; set; }

    /// <summary>Raised on the worker's thread after each durable barrier.</summary>
    public Action<ShardWorker>? BarrierPassed { get; set; }

    public ShardId Id => _store.Id;

    public ShardQueue Queue { get; }

    /// <summary>Only for the worker's own thread: use <see cref="InvokeAsync{T}"/>.</summary>
    public ChangeApplier Applier { get; }

    /// <summary>What readers of this shard see.</summary>
    public Lsn Applied => new(Volatile.Read(ref _applied));

    /// <summary>What survives a power loss.</summary>
    public Lsn Durable => new(Volatile.Read(ref _durable));

    public long ChangesApplied { get; private set; }

    public long TransactionsApplied { get; private set; }

    /// <summary>What was spent on making positions durable and on copying SQLite's log back.</summary>
    public TimeSpan SyncTime { get; private set; }

    /// <summary>Ends when the worker has stopped; faulted when it stopped because of an error.</summary>
    public Task Stopped => _stopped.Task;

    /// <summary>True while some table is not readable; as of <see cref="Applied"/>, when that is read first.</summary>
    public bool IsCopying => _isCopying;

    public void Start()
    {
        _isCopying = Applier.Copies.Count > 0;
        _thread.Start();
    }

    /// <summary>Before <see cref="Start"/>: creates the tables that are published and not here, and drops those no longer published.</summary>
    public void Align(IReadOnlyList<TableSchema> published)
    {
        _store.Begin(durable: false);
        Applier.Align(published, Applier.Tables.ToDictionary(t => t.Schema.Id, t => t.Schema.Entry));
        _store.Commit(_store.Position);
    }

    /// <summary>Applies what is queued, commits, makes it durable, and stops. Nothing must be queued any more: the end of a transaction whose
    /// beginning is here won't come, and it is rolled back.</summary>
    public Task StopAsync()
    {
        _draining = true;
        Queue.Post(new ShardCommand(() => { }, () => { }));
        return _stopped.Task;
    }

    /// <summary>Runs <paramref name="action"/> on the worker's thread, between two changes.</summary>
    /// <param name="action">What to do; it may write to the store when <paramref name="writes"/>.</param>
    /// <param name="writes">Whether the result counts only once it is committed.</param>
    /// <returns>The result; cancelled when the shard stops or rolls it back.</returns>
    public Task<T> InvokeAsync<T>(Func<ChangeApplier, IShardStore, T> action, bool writes)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Cancel() => completion.TrySetCanceled(CancellationToken.None);
        void Run()
        {
            try
            {
                if (writes) EnsureOpen();
                var result = action(Applier, _store);
                if (writes) _awaitingCommit.Add((() => completion.TrySetResult(result), Cancel));
                else completion.TrySetResult(result);
            }
            catch (UnstorableValueException exception)
            {
                completion.TrySetException(exception); // the table that it was for has been set aside
            }
            catch (Exception exception)
            {
                completion.TrySetException(exception);
                throw; // the open transaction may be half done: the shard stops
            }
        }
        if (!Queue.Post(new ShardCommand(Run, Cancel))) Cancel();
        return completion.Task;
    }

    /// <summary>
    /// Drops what is queued and the transaction that is half applied, because the stream broke or ends; afterwards the stream may start
    /// again after <see cref="Applied"/>.
    /// </summary>
    public Task DiscardAsync() => InvokeAsync(
        (_, _) =>
        {
            Queue.Clear(_pool);
            if (_insideChange) _discarded = true;
            else if (!_atBoundary) Rollback();
            else if (_open) Commit();
            return true;
        },
        writes: false);

    public void Dispose()
    {
        Queue.Close();
        Queue.Dispose();
        _store.Dispose();
    }

    private void Run()
    {
        try
        {
            while (true)
            {
                var wait = _draining ? TimeSpan.Zero : NextWait();
                if (!TakeOne(commandsOnly: false, wait))
                {
                    if (_draining) break;
                    Idle();
                }
                if (_open && _atBoundary && IsBatchFull()) Commit();
            }
            if (!_atBoundary) Rollback();
            else if (_open) Commit();
            Barrier();
            Queue.Close();
            _stopped.TrySetResult();
        }
        catch (Exception exception)
        {
            Queue.Close();
            CancelAwaiting();
            RollbackQuietly();
            _stopped.TrySetException(exception);
        }
    }

    /// <summary>Takes and does one thing; false when nothing came in time.</summary>
    private bool TakeOne(bool commandsOnly, TimeSpan wait)
    {
        if (!Queue.Take(wait, commandsOnly, out var command, out var part)) return false;
        if (command is not null) command.Run();
        else Apply(part!);
        return true;
    }

    private TimeSpan NextWait()
    {
        if (!_atBoundary) return Timeout.InfiniteTimeSpan; // the rest of this transaction comes, or a command says that it won't
        if (_open) return TimeSpan.Zero;
        if (Applied == Durable) return Timeout.InfiniteTimeSpan;
        var wait = _options.BarrierInterval - _time.GetElapsedTime(_barrierAt);
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }

    private void Idle()
    {
        if (!_open)
        {
            Barrier();
            CopyBackWal(_options.IdleWalBytesMax);
            return;
        }
        var pause = _options.CommitPause - _time.GetElapsedTime(_committedAt);
        if (pause > TimeSpan.Zero) Queue.Gather(pause);
        else Commit();
    }

    private void WaitForChunk()
    {
        _insideChange = true;
        TakeOne(commandsOnly: true, Timeout.InfiniteTimeSpan);
        _insideChange = false;
        if (_discarded) throw new PartDiscardedException();
    }

    private void Apply(TransactionPart part)
    {
        if (part.Begins != _atBoundary)
            throw new DbSyncException(ErrorCodes.OutOfOrder, $"Shard '{Id}': a transaction began inside another, or went on without a beginning.");
        if (part.Begins) _skipping = part.Xid == 0 ? part.EndLsn <= _next : part.CommitLsn < _next;
        _atBoundary = part.Ends;
        try
        {
            if (!_skipping) ApplyNew(part);
        }
        catch (PartDiscardedException)
        {
            _discarded = false;
            Rollback();
        }
        finally
        {
            _pool.Return(part);
        }
    }

    private void ApplyNew(TransactionPart part)
    {
        EnsureOpen();
        Applier.Apply(part);
        foreach (var (table, column) in part.KeptAsText) _store.MarkPrimaryOnly(table, column);
        _batchChanges += part.ChangeCount;
        ChangesApplied += part.ChangeCount;
        if (!part.Ends) return;
        if (part.EndLsn <= _next)
            throw new DbSyncException(
                ErrorCodes.OutOfOrder, $"Shard '{Id}' stands at {_next} and was given a transaction that ends at {part.EndLsn}.");
        _next = part.EndLsn;
        if (part.Xid == 0) return;
        _store.Journal(part.EndLsn, part.Xid);
        TransactionsApplied++;
        _clock.Applied(part);
    }

    private bool IsBatchFull() =>
        _batchChanges >= _options.BatchChangesMax || _time.GetElapsedTime(_batchStartedAt) >= _options.BatchAgeMax;

    private void EnsureOpen()
    {
        if (_open) return;
        _store.Begin(durable: false);
        _open = true;
        _batchChanges = 0;
        _batchStartedAt = _time.GetTimestamp();
    }

    private void Commit()
    {
        Debug.Assert(_open && _atBoundary, "A commit holds whole transactions.");
        var promoted = Applier.Promote(_next);
        Failpoint.Hit(Failpoint.BeforeCommit);
        _store.Commit(_next);
        _open = false;
        Failpoint.Hit(Failpoint.AfterCommit);
        if (promoted) Failpoint.Hit(Failpoint.AfterTableLive);
        _isCopying = Applier.Copies.Count > 0;
        Volatile.Write(ref _applied, _next.Value);
        _clock.Visible();
        foreach (var (committed, _) in _awaitingCommit) committed();
        _awaitingCommit.Clear();
        Committed?.Invoke(this);
        if (_time.GetElapsedTime(_barrierAt) >= _options.BarrierInterval) Barrier();
        KeepWalShort();
        _committedAt = _time.GetTimestamp();
    }

    /// <summary>The log is copied back beside the writing; the writer does the rest, and all of it where it grows faster than that.</summary>
    private void KeepWalShort()
    {
        var bytes = _store.WalBytes;
        if (bytes <= _options.WalBytesMax || (bytes <= _options.WalBytesHardMax && _store.CopyWalAside())) return;
        CopyBackWal(_options.WalBytesMax);
    }

    private void CopyBackWal(long bytesMax)
    {
        if (_store.WalBytes <= bytesMax) return;
        Failpoint.Hit(Failpoint.BeforeWalTruncation);
        var started = _time.GetTimestamp();
        _store.TruncateWal();
        SyncTime += _time.GetElapsedTime(started);
        Failpoint.Hit(Failpoint.AfterWalTruncation);
    }

    /// <summary>Makes everything committed so far survive a power loss; only such positions are acknowledged.</summary>
    private void Barrier()
    {
        _barrierAt = _time.GetTimestamp();
        if (Durable == Applied) return;
        Failpoint.Hit(Failpoint.BeforeBarrier);
        _store.Begin(durable: true);
        _store.Commit(Applied);
        SyncTime += _time.GetElapsedTime(_barrierAt);
        Volatile.Write(ref _durable, _applied);
        Failpoint.Hit(Failpoint.AfterBarrier);
        BarrierPassed?.Invoke(this);
    }

    private void Rollback()
    {
        if (_open) _store.Rollback();
        _open = false;
        _atBoundary = true;
        _next = _store.Position;
        CancelAwaiting();
        _clock.Forget();
        Applier.Load();
    }

    private void CancelAwaiting()
    {
        foreach (var (_, cancel) in _awaitingCommit) cancel();
        _awaitingCommit.Clear();
    }

    private void RollbackQuietly()
    {
        try
        {
            if (_open) _store.Rollback();
        }
        catch (DbSyncException)
        {
            // The shard is stopping because of an error that says more than this one would.
        }
    }

    /// <summary>Unwinds a change that waited for a chunk when its transaction was discarded.</summary>
    private sealed class PartDiscardedException : Exception;
}
