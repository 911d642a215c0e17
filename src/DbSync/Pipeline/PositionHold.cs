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
    private readonly Queue<TransactionPart> _waiting = new();
    private readonly Queue<uint> _passed = new();
    private Phase _phase;
    private Request? _request;
    private Request? _judgedFor;
    private int _allowed;
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

    /// <summary>The stream broke: what is kept comes again with the next one. What passed has passed: the shards may hold it.</summary>
    public void Reset()
    {
        Release();
        _waiting.Clear();
        JudgeAll(null);
    }

    /// <summary>A stream begins: the shards stand at <paramref name="position"/>.</summary>
    public void StartAt(Lsn position) => _last = position;

    public void Dispose() => _changed.Dispose();

    /// <summary>Takes the next part of the stream; what may go on comes out of <see cref="TryTake"/>.</summary>
    public void Pass(TransactionPart part)
    {
        _waiting.Enqueue(part);
        Judge(part);
    }

    /// <summary>Gives the next part that may go on, and blocks while the stream is held.</summary>
    public bool TryTake([NotNullWhen(true)] out TransactionPart? part, CancellationToken cancellationToken)
    {
        while (true)
        {
            var phase = Current(out var request);
            if (!ReferenceEquals(request, _judgedFor)) JudgeAll(request);
            if (_allowed > 0 && (phase != Phase.Frozen || !_waiting.Peek().Begins))
            {
                _allowed--;
                part = _waiting.Dequeue();
                Note(part);
                return true;
            }
            part = null;
            if (phase == Phase.Holding && _reached)
            {
                var equal = _passed.All(xid => request!.Snapshot.Sees(request.Snapshot.Widen(xid)));
                request!.Held.TrySetResult(equal ? _last : null);
            }
            else if (phase != Phase.Frozen || _waiting.Count == 0)
            {
                return false;
            }
            Wait(phase, request, cancellationToken);
        }
    }

    /// <summary>Judges everything that waits anew, for another snapshot or for none.</summary>
    private void JudgeAll(Request? request)
    {
        (_judgedFor, _allowed, _unseen, _reached) = (request, 0, false, false);
        foreach (var part in _waiting) Judge(part);
    }

    private void Judge(TransactionPart part)
    {
        if (_judgedFor is { } request)
        {
            if (part.Begins && part.Xid != 0)
            {
                var seen = request.Snapshot.Sees(request.Snapshot.Widen(part.Xid));
                if (seen && _unseen) request.Held.TrySetResult(null);
                _unseen |= !seen;
            }
            _reached |= part.Ends && (part.Xid == 0 ? part.EndLsn : part.CommitLsn) >= request.InsertedUpTo;
        }
        if (!_unseen) _allowed++;
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

    /// <summary>Waits for the next step, told by the request too: a hold that follows at once has the same phase.</summary>
    private void Wait(Phase whileIn, Request? whileFor, CancellationToken cancellationToken)
    {
        while (true)
        {
            lock (_gate)
            {
                if (_phase != whileIn || !ReferenceEquals(_request, whileFor)) return;
                _changed.Reset();
            }
            _changed.Wait(cancellationToken);
        }
    }

    private sealed record Request(TransactionSnapshot Snapshot, Lsn InsertedUpTo, TaskCompletionSource<Lsn?> Held);
}
