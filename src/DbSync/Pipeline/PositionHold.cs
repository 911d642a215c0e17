using System.Diagnostics.CodeAnalysis;

namespace DbSync;

/// <summary>
/// Stops the stream just before the first transaction that a snapshot of the primary does not see, so that the shards show exactly what the
/// snapshot shows: how a replica is compared with its primary while writers go on. First <see cref="Freeze"/>, then take the snapshot and
/// then the insert position, then <see cref="HoldAsync"/>, and <see cref="Release"/> at the end.
/// </summary>
/// <remarks>
/// Visibility order is not log order. The hold therefore reads on, up to the position taken after the snapshot; when a commit behind the
/// first unseen one is seen, or one that went by is not, no position of the log equals the snapshot: take another.
/// </remarks>
internal sealed class PositionHold : IDisposable
{
    private const int PassedMax = 4096;

    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _changed = new();
    private readonly Queue<TransactionPart> _ready = new();
    private readonly Queue<TransactionPart> _kept = new();
    private readonly Queue<uint> _passed = new();
    private Phase _phase;
    private Request? _request;
    private Request? _keptFor;
    private bool _unseen;
    private bool _reached;
    private Lsn _last;

    private enum Phase
    {
        Open,
        Frozen,
        Holding,
    }

    /// <summary>No transaction begins to pass from now on.</summary>
    public void Freeze() => Enter(Phase.Frozen, null);

    /// <summary>Lets pass what the snapshot sees, and holds. Traffic beyond <paramref name="insertedUpTo"/> must follow soon.</summary>
    /// <returns>The position that equals the snapshot; null when there is none, or when the stream broke.</returns>
    public Task<Lsn?> HoldAsync(TransactionSnapshot snapshot, Lsn insertedUpTo)
    {
        var request = new Request(snapshot, insertedUpTo, new TaskCompletionSource<Lsn?>(TaskCreationOptions.RunContinuationsAsynchronously));
        Enter(Phase.Holding, request);
        return request.Held.Task;
    }

    /// <summary>Lets everything pass again.</summary>
    public void Release() => Enter(Phase.Open, null);

    /// <summary>The stream broke: what is kept comes again with the next one.</summary>
    public void Reset()
    {
        Release();
        _ready.Clear();
        _kept.Clear();
        _passed.Clear();
        _unseen = _reached = false;
    }

    public void Dispose() => _changed.Dispose();

    /// <summary>Takes the next part of the stream; what may go on comes out of <see cref="TryTake"/>.</summary>
    public void Pass(TransactionPart part, CancellationToken cancellationToken)
    {
        if (Current(out var request) == Phase.Frozen && part.Begins)
        {
            Wait(Phase.Frozen, cancellationToken);
            Current(out request);
        }
        if (!ReferenceEquals(request, _keptFor))
        {
            while (_kept.TryDequeue(out var kept)) _ready.Enqueue(kept); // of a hold that was given up
            _unseen = _reached = false;
            _keptFor = request;
        }
        if (request is null)
        {
            _ready.Enqueue(part);
            return;
        }
        if (part.Begins && part.Xid != 0)
        {
            var seen = request.Snapshot.Sees(request.Snapshot.Widen(part.Xid));
            if (seen && _unseen) request.Held.TrySetResult(null);
            _unseen |= !seen;
        }
        (_unseen ? _kept : _ready).Enqueue(part);
        _reached |= part.Ends && (part.Xid == 0 ? part.EndLsn : part.CommitLsn) >= request.InsertedUpTo;
    }

    /// <summary>Gives the next part that may go on, and blocks while the stream is held.</summary>
    public bool TryTake([NotNullWhen(true)] out TransactionPart? part, CancellationToken cancellationToken)
    {
        if (_ready.TryDequeue(out part))
        {
            Note(part);
            return true;
        }
        if (Current(out var request) == Phase.Holding)
        {
            if (!_reached) return false;
            var equal = _passed.All(xid => request!.Snapshot.Sees(request.Snapshot.Widen(xid)));
            request!.Held.TrySetResult(equal ? _last : null);
            Wait(Phase.Holding, cancellationToken);
        }
        _unseen = _reached = false;
        if (!_kept.TryDequeue(out part)) return false;
        Note(part);
        return true;
    }

    private void Note(TransactionPart part)
    {
        if (!part.Ends) return;
        _last = part.EndLsn;
        if (part.Xid == 0) return;
        _passed.Enqueue(part.Xid);
        if (_passed.Count > PassedMax) _passed.Dequeue();
    }

    private Phase Current(out Request? request)
    {
        lock (_gate)
        {
            request = _request;
            return _phase;
        }
    }

    private void Enter(Phase phase, Request? request)
    {
        lock (_gate)
        {
            _request?.Held.TrySetResult(null);
            (_phase, _request) = (phase, request);
            _changed.Set();
        }
    }

    private void Wait(Phase whileIn, CancellationToken cancellationToken)
    {
        while (true)
        {
            lock (_gate)
            {
                if (_phase != whileIn) return;
                _changed.Reset();
            }
            _changed.Wait(cancellationToken);
        }
    }

    private sealed record Request(TransactionSnapshot Snapshot, Lsn InsertedUpTo, TaskCompletionSource<Lsn?> Held);
}
