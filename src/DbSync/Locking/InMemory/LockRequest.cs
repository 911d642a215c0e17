namespace DbSync.Locking.InMemory;

/// <summary>One request in a <see cref="LockQueue"/>: waiting until it has a token. Guarded by the manager's lock.</summary>
internal sealed class LockRequest(LockQueue queue, string id, LockOwner owner, LockMode mode, KeyRange[] ranges, long since)
{
    private readonly TaskCompletionSource _granted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LockQueue Queue => queue;

    public string Id => id;

    public LockOwner Owner => owner;

    public LockMode Mode { get; set; } = mode;

    public KeyRange[] Ranges => ranges;

    /// <summary>Timestamp of the arrival, then of the grant.</summary>
    public long Since { get; private set; } = since;

    public FencingToken? Token { get; set; }

    /// <summary>Completes with the grant; faults when the wait was ended by an operator.</summary>
    public Task Granted => _granted.Task;

    public CancellationTokenSource Lost { get; } = new();

    public bool ConflictsWith(LockRequest other) =>
        LockModes.Conflict(Mode, other.Mode) && KeyRangeSet.Overlap(Ranges, other.Ranges);

    public void Grant(FencingToken token, long now)
    {
        (Token, Since) = (token, now);
        _granted.TrySetResult();
    }

    public void Refuse(Exception reason) => _granted.TrySetException(reason);
}
