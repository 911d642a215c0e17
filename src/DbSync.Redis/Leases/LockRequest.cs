using DbSync.Locking;
using StackExchange.Redis;

namespace DbSync.Redis.Leases;

/// <summary>How a wait ended.</summary>
internal enum WaitEnd
{
    Granted,
    LeaseOver,
    Revoked,
    Deadlock,
    Disposed,
}

/// <summary>
/// One request as the client knows it: waiting, then held, then gone. Grants and losses arrive from several threads (the answer, pub/sub, the
/// poll, the keeper); whoever comes first decides.
/// </summary>
internal sealed class LockRequest(Lease lease, long number, LockOwner owner, LockMode mode, KeyRange[] ranges, long asked)
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource<WaitEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _asked = asked;
    private State _state = State.Waiting;
    private long _heldSince;

    private enum State
    {
        Waiting,
        Held,
        Gone,
    }

    public Lease Lease => lease;

    /// <summary>The number by which the server makes retries harmless.</summary>
    public string Number { get; } = number.ToString();

    public LockOwner Owner => owner;

    public LockMode Mode { get; set; } = mode;

    public KeyRange[] Ranges => ranges;

    public FencingToken Token { get; private set; }

    public CancellationTokenSource Lost { get; } = new();

    public Task<WaitEnd> End => _end.Task;

    public bool IsWaiting
    {
        get { lock (_gate) return _state == State.Waiting; }
    }

    public bool IsHeld
    {
        get { lock (_gate) return _state == State.Held; }
    }

    /// <summary>When it was asked for; the deadlock check moves it forward.</summary>
    public long DeadlockChecked { get; set; } = asked;

    public bool Grant(long sequence, TimeProvider time)
    {
        lock (_gate)
        {
            if (_state != State.Waiting) return false;
            (_state, Token, _heldSince) = (State.Held, new FencingToken(lease.Epoch, sequence), time.GetTimestamp());
        }

        LockMetrics.Granted(Mode, time.GetElapsedTime(_asked));
        _end.TrySetResult(WaitEnd.Granted);
        return true;
    }

    /// <summary>A successful upgrade is a grant of its own.</summary>
    public void Renumber(long sequence)
    {
        lock (_gate) Token = new FencingToken(lease.Epoch, sequence);
    }

    /// <summary>The server no longer has it: tells the holder, or ends the wait. The token is cancelled at once, its callbacks run on the pool.</summary>
    public void Lose(WaitEnd reason)
    {
        bool wasHeld;
        lock (_gate)
        {
            if (_state == State.Gone) return;
            wasHeld = _state == State.Held;
            _state = State.Gone;
        }

        lease.Forget(this);
        owner.Leave();
        if (wasHeld)
        {
            LockMetrics.Lost(Mode);
            Ended();
            _ = Lost.CancelAsync();
        }
        else
        {
            _end.TrySetResult(reason);
        }
    }

    /// <summary>The caller gives it up; false when it was gone already.</summary>
    public bool Leave()
    {
        lock (_gate)
        {
            if (_state == State.Gone) return false;
            if (_state == State.Held) Ended();
            _state = State.Gone;
        }

        lease.Forget(this);
        owner.Leave();
        return true;
    }

    /// <summary>The words that ask for it.</summary>
    public RedisValue[] Words(bool wait)
    {
        var words = new RedisValue[4 + (2 * ranges.Length)];
        (words[0], words[1], words[2], words[3]) = (Number, owner.Id, Mode == LockMode.Exclusive ? "x" : "r", wait ? 1 : 0);
        for (var i = 0; i < ranges.Length; i++)
        {
            words[4 + (2 * i)] = ranges[i].LowBytes;
            words[5 + (2 * i)] = ranges[i].HighBytes;
        }

        return words;
    }

    private void Ended() => LockMetrics.Ended(Mode, lease.Time.GetElapsedTime(_heldSince));
}
