namespace DbSync.Locking.InMemory;

/// <summary>
/// The rule itself, for one resource: a request waits for every earlier one that it conflicts with, held or waiting, and for nothing else.
/// Plain lists, so that it can be read as the definition; the property tests compare the Redis script with it.
/// </summary>
/// <remarks>Source: the Linux kernel's range lock (LWN 724502). Cost: linear in the requests of the resource.</remarks>
internal sealed class LockQueue(LockResource resource, long epoch)
{
    private readonly List<LockRequest> _held = [];
    private readonly List<LockRequest> _waiting = [];
    private long _sequence;

    public LockResource Resource => resource;

    public long Epoch { get; private set; } = epoch;

    /// <summary>Holders in the order of their grants.</summary>
    public IReadOnlyList<LockRequest> Held => _held;

    /// <summary>Waiters in the order of their arrival.</summary>
    public IReadOnlyList<LockRequest> Waiting => _waiting;

    /// <summary>True when the request could be granted now.</summary>
    public bool IsFree(LockRequest request) => !Blockers(request).Any();

    /// <summary>Who <paramref name="request"/> waits for: all of the waiters if it isn't in the queue yet, else those before it.</summary>
    public IEnumerable<LockRequest> Blockers(LockRequest request) =>
        _held.Concat(_waiting.TakeWhile(earlier => earlier != request)).Where(request.ConflictsWith);

    public void Hold(LockRequest request, long now)
    {
        Renumber(request, now);
        _held.Add(request);
    }

    public void Wait(LockRequest request) => _waiting.Add(request);

    /// <summary>Takes a request out, whatever it was doing; false when it isn't there. Call <see cref="HandOff"/> afterwards.</summary>
    public bool Remove(LockRequest request) => _held.Remove(request) || _waiting.Remove(request);

    /// <summary>True, and exclusive with a new token, when nobody else holds an overlapping lock.</summary>
    public bool TryUpgrade(LockRequest request, long now)
    {
        if (_held.Any(other => other != request && KeyRangeSet.Overlap(other.Ranges, request.Ranges))) return false;
        request.Mode = LockMode.Exclusive;
        Renumber(request, now);
        return true;
    }

    /// <summary>Grants every waiter that nothing stands before any more, in the order of arrival.</summary>
    public IReadOnlyList<LockRequest> HandOff(long now)
    {
        var granted = new List<LockRequest>();
        foreach (var request in _waiting.ToArray())
        {
            if (!IsFree(request)) continue;
            _waiting.Remove(request);
            Hold(request, now);
            granted.Add(request);
        }

        return granted;
    }

    /// <summary>Forgets the holders and starts a new epoch; the waiters keep their order.</summary>
    public IReadOnlyList<LockRequest> StartEpoch(long next)
    {
        var lost = _held.ToArray();
        _held.Clear();
        (Epoch, _sequence) = (next, 0);
        return lost;
    }

    private void Renumber(LockRequest request, long now) => request.Grant(new FencingToken(Epoch, ++_sequence), now);
}
