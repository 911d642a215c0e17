using System.Diagnostics;

namespace DbSync;

/// <summary>
/// The one writer of one shard: a thread that takes parts and commands from its queue, applies them, and decides when to commit, when to
/// make the position durable and when to copy SQLite's log back. Readers see a transaction when its commit returns.
/// </summary>
internal sealed partial class ShardWorker : IDisposable
{
    private const long QuietTransactionsMax = 8; // between two barriers

    private readonly IShardStore _store;
    private readonly PipelineOptions _options;
    private readonly PartPool _pool;
    private readonly TimeProvider _time;
    private readonly Thread _thread;
    private readonly CommitClock _clock;
    private readonly WalKeeper _wal;
    private readonly List<(Action Committed, Action Cancel)> _awaitingCommit = [];
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool _open;
    private bool _atBoundary = true;
    private bool _skipping;
    private bool _insideChange;
    private bool _discarded;
    private bool _isHeld;
    private int _batchChanges;
    private int _batchTransactions;
    private bool _isBusy;
    private bool _hasSlept;
    private bool _hasUpkeep;
    private long _batchStartedAt;
    private long _barrierAt;
    private TimeSpan _barrierTime;
    private long _committedAt;
    private long _appliedAtIdle;
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
        _wal = new WalKeeper(store, options, time);
        Queue = new ShardQueue(options.QueueBytesMax, options.QueuePartsMax);
        Applier = new ChangeApplier(store)
        {
            WaitForChunk = WaitForCommand, WaitForMove = WaitForMove, Wake = () => Queue!.Post(new ShardCommand(() => { }, () => { })),
        };
        _next = store.Position;
        _applied = store.Position.Value; // but not known to be durable: the process may have died before it was synced
        _isCopying = Applier.IsIncomplete;
        _barrierAt = time.GetTimestamp();
        _thread = new Thread(Run) { IsBackground = true, Name = $"dbsync shard {store.Id}" };
    }

    /// <summary>Raised on the worker's thread after each commit that moved the position.</summary>
    public Action<ShardWorker>? Committed { get; set; }

    /// <summary>Raised on the worker's thread after each durable barrier.</summary>
    public Action<ShardWorker>? BarrierPassed { get; set; }

    /// <summary>Has this shard commit together with the others; null for a node's only shard.</summary>
    public CommitGate? Gate { get; set; }

    public ShardId Id => _store.Id;

    public ShardQueue Queue { get; }

    /// <summary>Only for the worker's own thread: use <see cref="InvokeAsync{T}"/>.</summary>
    public ChangeApplier Applier { get; }

    /// <summary>What readers of this shard see.</summary>
    public Lsn Applied => new(Volatile.Read(ref _applied));

    /// <summary>What survives a power loss.</summary>
    public Lsn Durable => new(Volatile.Read(ref _durable));

    /// <summary>Commit on the primary to visible here.</summary>
    public DelayHistogram Delays => _clock.Total;

    public long ChangesApplied { get; private set; }

    public long TransactionsApplied { get; private set; }

    /// <summary>What was spent on making positions durable and on copying SQLite's log back.</summary>
    public TimeSpan SyncTime => _wal.Spent + _barrierTime;

    /// <summary>Ends when the worker has stopped; faulted when it stopped because of an error.</summary>
    public Task Stopped => _stopped.Task;

    /// <summary>True while some table is not readable; as of <see cref="Applied"/>, when that is read first.</summary>
    public bool IsCopying => _isCopying;

    public void Start()
    {
        _isCopying = Applier.IsIncomplete;
        _thread.Start();
    }

    /// <summary>Applies what is queued, commits, makes it durable, and stops. Nothing must be queued any more: the end of a transaction whose
    /// beginning is here won't come, and it is rolled back.</summary>
    public Task StopAsync()
    {
        _draining = true;
        Queue.Post(new ShardCommand(() => { }, () => { }));
        return _stopped.Task;
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
            else if (!_atBoundary || (_open && !MayCommitAlone)) Rollback();
            else if (_open) Commit();
            _isHeld = false;
            return true;
        },
        writes: false);

    /// <summary>On the worker's thread: all shards of the node have come to the end of a batch.</summary>
    public void CommitWithOthers(long round)
    {
        if (!Gate!.IsCurrent(round)) return;
        _isHeld = false;
        if (_open && _atBoundary && !_insideChange) Commit(); // inside one only when another shard has failed
        Gate.Committed(round);
    }

    public void Dispose()
    {
        Queue.Close();
        Queue.Dispose();
        _store.Dispose();
    }

    private void Run()
    {
        Queue.Turn.Enter();
        try
        {
            while (true)
            {
                var wait = _draining && !_isHeld ? TimeSpan.Zero : NextWait();
                if (!TakeOne(commandsOnly: _isHeld, wait))
                {
                    if (_draining) break;
                    Idle();
                }
                if (_open && _atBoundary && IsBatchFull() && MayCommitAlone) Commit();
            }
            Gate?.Leave();
            if (!_atBoundary) Rollback();
            else if (_open) Commit();
            Barrier();
            Queue.Close();
            _stopped.TrySetResult();
        }
        catch (Exception exception)
        {
            Queue.Close();
            Gate?.Fail();
            CancelAwaiting();
            RollbackQuietly();
            _stopped.TrySetException(exception);
        }
        finally
        {
            Queue.Turn.Exit();
        }
    }

    /// <summary>Takes and does one thing; false when nothing came in time.</summary>
    private bool TakeOne(bool commandsOnly, TimeSpan wait)
    {
        if (!Queue.Take(wait, commandsOnly, out var command, out var part)) return false;
        if (command is not null) command.Run();
        else if (part!.EndsBatch) Arrive(part);
        else Apply(part);
        return true;
    }

    private TimeSpan NextWait()
    {
        _hasSlept = true;
        _hasUpkeep = NeedsUpkeep;
        if (!_atBoundary) return Timeout.InfiniteTimeSpan; // the rest of this transaction comes, or a command says that it won't
        if (_isHeld) return Timeout.InfiniteTimeSpan;
        if (_open) return MayCommitAlone ? TimeSpan.Zero : Timeout.InfiniteTimeSpan;
        if (!_hasUpkeep) return Timeout.InfiniteTimeSpan;
        var wait = _options.BarrierInterval - _time.GetElapsedTime(_barrierAt);
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }

    private void Idle()
    {
        if (!_open)
        {
            // While more than heartbeats comes, the log is not copied back here: that would hold up who comes meanwhile.
            var isQuiet = TransactionsApplied - _appliedAtIdle <= QuietTransactionsMax;
            _appliedAtIdle = TransactionsApplied;
            Barrier();
            if (isQuiet) _wal.WhenIdle();
            else _wal.AfterCommit();
            return;
        }
        var pause = _isBusy ? _options.CommitPause - _time.GetElapsedTime(_committedAt) : TimeSpan.Zero;
        if (pause > TimeSpan.Zero) Queue.Gather(pause);
        else Commit();
    }

    /// <summary>True when a commit leaves the position where it is, or when there is nobody to keep pace with.</summary>
    private bool MayCommitAlone => Gate is null || _next == Applied;

    private void WaitForCommand()
    {
        _insideChange = true;
        TakeOne(commandsOnly: true, Timeout.InfiniteTimeSpan);
        _insideChange = false;
        if (_discarded) throw new PartDiscardedException();
    }

    private void WaitForMove(RowMove move)
    {
        while (!move.IsDecided)
        {
            WaitForCommand();
            if (!_draining || !Gate!.HasFailed) continue;
            Queue.Clear(_pool); // who had the row has failed, and the node is stopping
            throw new PartDiscardedException();
        }
    }

    /// <summary>The end of a batch: nothing more is applied until every shard is here and all commit.</summary>
    private void Arrive(TransactionPart marker)
    {
        _pool.Return(marker);
        _isHeld = true;
        if (!Gate!.Arrive()) return;
        var pause = _options.CommitPause - _time.GetElapsedTime(_committedAt);
        if (pause > TimeSpan.Zero) Queue.Gather(pause); // what follows closely shares the next commit, and readers find all shards at one position meanwhile
        Gate.Release();
    }

    private void Apply(TransactionPart part)
    {
        if (part.Begins != _atBoundary)
            throw new DbSyncException(ErrorCodes.OutOfOrder, $"Shard '{Id}': a transaction began inside another, or went on without a beginning.");
        if (part.Begins) _skipping = IsHere(part);
        _atBoundary = part.Ends;
        try
        {
            if (!_skipping) ApplyNew(part);
            else Applier.Tell(part);
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
        foreach (var (table, column) in part.KeptAsText) Applier.MarkPrimaryOnly(table, column);
        _batchChanges += part.ChangeCount;
        ChangesApplied += part.ChangeCount;
        if (!part.Ends) return;
        if (part.Layout is { } layout) Applier.Switch(layout);
        if (part.EndLsn <= _next)
            throw new DbSyncException(
                ErrorCodes.OutOfOrder, $"Shard '{Id}' stands at {_next} and was given a transaction that ends at {part.EndLsn}.");
        _next = part.EndLsn;
        if (part.Xid == 0) return;
        _store.Journal(part.EndLsn, part.Xid);
        TransactionsApplied++;
        _batchTransactions++;
        _clock.Applied(part);
    }

    private bool IsBatchFull() =>
        _batchChanges >= _options.BatchChangesMax || _time.GetElapsedTime(_batchStartedAt) >= _options.BatchAgeMax;

    private void EnsureOpen()
    {
        if (_open) return;
        _store.Begin(durable: false);
        Opened();
    }

    /// <summary>True when what the part belongs to was applied before.</summary>
    private bool IsHere(TransactionPart part) => part.Xid == 0 ? part.EndLsn <= _next : part.CommitLsn < _next;

    private void Opened()
    {
        _open = true;
        _batchChanges = _batchTransactions = 0;
        _batchStartedAt = _time.GetTimestamp();
    }

    private void Commit()
    {
        MakeVisible();
        if (_time.GetElapsedTime(_barrierAt) >= _options.BarrierInterval) Barrier();
        _wal.AfterCommit();
        _committedAt = _time.GetTimestamp();
    }

    private void MakeVisible()
    {
        Debug.Assert(_open && _atBoundary, "A commit holds whole transactions.");
        var promoted = Applier.Promote(_next);
        Failpoint.Hit(Failpoint.BeforeCommit);
        _store.Commit(_next);
        _open = false;
        Failpoint.Hit(Failpoint.AfterCommit);
        if (promoted) Failpoint.Hit(Failpoint.AfterTableLive);
        _isCopying = Applier.IsIncomplete;
        Volatile.Write(ref _applied, _next.Value);
        _clock.Visible();
        foreach (var (committed, _) in _awaitingCommit) committed();
        _awaitingCommit.Clear();
        Committed?.Invoke(this);
        _isBusy = _batchTransactions >= _options.BusyTransactionsMin;
    }

    /// <summary>Makes everything committed so far survive a power loss; only such positions are acknowledged.</summary>
    private void Barrier()
    {
        _barrierAt = _time.GetTimestamp();
        if (Durable == Applied) return;
        Failpoint.Hit(Failpoint.BeforeBarrier);
        _store.Begin(durable: true);
        Applier.ForgetTold(Gate?.Durable ?? Applied);
        _store.Commit(Applied);
        _barrierTime += _time.GetElapsedTime(_barrierAt);
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
