using System.Collections.Concurrent;
using DbSync.Locking;
using DbSync.Redis.Wire;
using StackExchange.Redis;

namespace DbSync.Redis.Leases;

/// <summary>
/// This process's lease on one resource in one epoch: one renewal whatever the number of locks. It ends once and never comes back;
/// what is asked for later gets a new one, under a new name.
/// </summary>
internal sealed class Lease(
    string name, LockResource resource, RedisKey key, long epoch, long opened, LockLibrary library, RedisRangeLockOptions options, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, LockRequest> _requests = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, LockRequest> _queued = new(StringComparer.Ordinal);
    private long _confirmed = opened;
    private long _numbers;

    public string Name => name;

    public LockResource Resource => resource;

    public RedisKey Key => key;

    public long Epoch => epoch;

    public RedisValue EpochText { get; } = epoch.ToString();

    public LeaseCalls Calls { get; } = new(library, key, epoch.ToString(), name, options.WaitersMax);

    public TimeProvider Time => time;

    public bool IsOver { get; private set; }

    /// <summary>Over, and every holder has been told: the server may grant to others what was held under it.</summary>
    public bool IsCleared { get; private set; }

    public int Count => _requests.Count;

    /// <summary>Those the server said wait.</summary>
    public ICollection<LockRequest> Queued => _queued.Values;

    public ICollection<LockRequest> Requests => _requests.Values;

    /// <summary>The renewal under way, and when it was sent.</summary>
    public Task<LockReply>? Renewal { get; set; }

    public long RenewalSent { get; set; } = opened;

    public long LastUsed { get; private set; } = opened;

    /// <summary>
    /// Counted from the clock reading before the renewal was sent, so it always ends before the server's own count, by the margin.
    /// </summary>
    public TimeSpan Left => options.LeaseDuration - options.Margin - time.GetElapsedTime(Volatile.Read(ref _confirmed));

    public void Confirm(long sent) => Volatile.Write(ref _confirmed, sent);

    /// <summary>A new request, or null when the lease is over.</summary>
    public LockRequest? TryAdd(LockOwner owner, LockMode mode, KeyRange[] ranges, long asked)
    {
        lock (_gate)
        {
            if (IsOver) return null;
            LastUsed = time.GetTimestamp();
            var request = new LockRequest(this, ++_numbers, owner, mode, ranges, asked);
            _requests[request.Number] = request;
            owner.Enter();
            return request;
        }
    }

    public void Queue(LockRequest request)
    {
        _queued[request.Number] = request;
        if (!request.IsWaiting) _queued.TryRemove(request.Number, out _);
    }

    public void Unqueue(LockRequest request) => _queued.TryRemove(request.Number, out _);

    public void Forget(LockRequest request)
    {
        _queued.TryRemove(request.Number, out _);
        _requests.TryRemove(request.Number, out _);
    }

    public LockRequest? Find(string number) => _requests.GetValueOrDefault(number);

    /// <summary>Over: its holders are told, its waiters ask again under a new lease. False when it was over before.</summary>
    public bool TryEnd(WaitEnd reason = WaitEnd.LeaseOver)
    {
        lock (_gate)
        {
            if (IsOver) return false;
            IsOver = true;
        }

        foreach (var request in _requests.Values) request.Lose(reason);
        IsCleared = true;
        return true;
    }

    /// <summary>Ends it if nothing has used it for a while.</summary>
    public bool TryRetire(TimeSpan idle)
    {
        lock (_gate)
        {
            if (IsOver || !_requests.IsEmpty || time.GetElapsedTime(LastUsed) < idle) return false;
            return IsOver = IsCleared = true;
        }
    }
}
