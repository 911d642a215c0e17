using System.Collections.Concurrent;
using DbSync.Locking.InMemory;

namespace DbSync.Locking;

/// <summary>
/// Range locks among the tasks of one process: the embedded default, and the model that the Redis manager is tested against. There is no
/// lease, so a lock is lost only by an operator's hand or by disposing the manager. Deadlocks are found when a wait begins.
/// </summary>
public sealed class InMemoryRangeLockManager : IRangeLockManager
{
    private readonly Lock _gate = new();
    private readonly Dictionary<LockResource, LockQueue> _queues = [];
    private readonly ConcurrentDictionary<LockResource, SemaphoreSlim> _starting = new();
    private readonly IEpochStore _epochs;
    private readonly InMemoryRangeLockInspector _inspector;
    private long _requests;
    private bool _disposed;

    /// <summary>Creates a manager with no locks.</summary>
    /// <param name="epochs">Where epochs live; give the PostgreSQL one when a fence checks the tokens. Default: in memory.</param>
    /// <param name="time">The clock; default: the system's.</param>
    /// <param name="waitersMax">The most requests that may wait for one resource.</param>
    public InMemoryRangeLockManager(IEpochStore? epochs = null, TimeProvider? time = null, int waitersMax = 10_000)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(waitersMax);
        _epochs = epochs ?? new InMemoryEpochStore();
        Time = time ?? TimeProvider.System;
        WaitersMax = waitersMax;
        _inspector = new InMemoryRangeLockInspector(this);
    }

    /// <inheritdoc />
    public IRangeLockInspector Inspector => _inspector;

    internal TimeProvider Time { get; }

    internal int WaitersMax { get; }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        List<LockRequest> lost = [];
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            foreach (var queue in _queues.Values)
            {
                foreach (var waiter in queue.Waiting.ToArray())
                {
                    queue.Remove(waiter);
                    waiter.Refuse(new ObjectDisposedException(nameof(InMemoryRangeLockManager)));
                }

                lost.AddRange(queue.Held);
                foreach (var holder in queue.Held.ToArray()) queue.Remove(holder);
            }
        }

        foreach (var request in lost) await request.Lost.CancelAsync();
    }

    /// <inheritdoc />
    public ValueTask<RangeLock> AcquireAsync(LockResource resource, IReadOnlyList<KeyRange> ranges, LockMode mode,
        RangeLockOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= RangeLockOptions.Default;
        options.Validate();
        var asked = Time.GetTimestamp();
        var owner = options.Owner ?? LockOwner.OfThisFlow();
        return WaitFor(resource, KeyRangeSet.Normalise(ranges), mode, owner, options.WaitTimeout, asked, cancellationToken);
    }

    /// <inheritdoc />
    public ValueTask<RangeLock?> TryAcquireAsync(LockResource resource, IReadOnlyList<KeyRange> ranges, LockMode mode,
        RangeLockOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= RangeLockOptions.Default;
        options.Validate();
        var owner = options.Owner ?? LockOwner.OfThisFlow();
        return TryNow(resource, KeyRangeSet.Normalise(ranges), mode, owner, cancellationToken);
    }

    internal T Read<T>(LockRequest request, Func<LockRequest, T> read)
    {
        lock (_gate) return read(request);
    }

    internal T Read<T>(LockResource resource, Func<LockQueue?, T> read)
    {
        lock (_gate) return read(_queues.GetValueOrDefault(resource));
    }

    internal LockResource[] Resources()
    {
        lock (_gate) return [.. _queues.Keys.OrderBy(resource => resource.Name, StringComparer.Ordinal)];
    }

    internal void GiveBack(LockRequest request)
    {
        lock (_gate)
        {
            if (!request.Queue.Remove(request)) return;
            Left(request);
            HandOff(request.Queue);
        }
    }

    internal void Downgrade(LockRequest request)
    {
        lock (_gate)
        {
            ThrowIfNotHeld(request);
            if (request.Mode == LockMode.Shared) return;
            request.Mode = LockMode.Shared;
            HandOff(request.Queue);
        }
    }

    internal bool TryUpgrade(LockRequest request)
    {
        lock (_gate)
        {
            ThrowIfNotHeld(request);
            return request.Mode == LockMode.Exclusive || request.Queue.TryUpgrade(request, Time.GetTimestamp());
        }
    }

    internal async ValueTask Revoke(LockResource resource, string id)
    {
        LockRequest? request;
        lock (_gate)
        {
            var queue = _queues.GetValueOrDefault(resource);
            request = queue?.Held.Concat(queue.Waiting).FirstOrDefault(candidate => candidate.Id == id);
            if (request is null || !queue!.Remove(request)) throw LockErrors.UnknownEntry();
            if (request.Token is null)
            {
                LockMetrics.Refused(request.Mode, "revoked");
                request.Refuse(new RangeLockLostException(resource));
            }
            else
            {
                LockMetrics.Lost(request.Mode);
            }

            Left(request);
        }

        // The holder is told before the range goes to anyone else.
        await request.Lost.CancelAsync();
        lock (_gate) HandOff(request.Queue);
    }

    internal async ValueTask<long> Reset(LockResource resource, CancellationToken cancellationToken)
    {
        var queue = await QueueOf(resource, cancellationToken);
        var epoch = await Advance(resource, cancellationToken);
        IReadOnlyList<LockRequest> lost;
        lock (_gate)
        {
            lost = queue.StartEpoch(epoch);
            foreach (var request in lost)
            {
                LockMetrics.Lost(request.Mode);
                Left(request);
            }
        }

        foreach (var request in lost) await request.Lost.CancelAsync();
        lock (_gate) HandOff(queue);
        return epoch;
    }

    private async ValueTask<RangeLock?> TryNow(LockResource resource, KeyRange[] ranges, LockMode mode, LockOwner owner,
        CancellationToken cancellationToken)
    {
        var queue = await QueueOf(resource, cancellationToken);
        lock (_gate)
        {
            var request = NewRequest(queue, ranges, mode, owner);
            var free = queue.IsFree(request);
            if (!free)
            {
                LockMetrics.Refused(mode, "busy");
                return null;
            }

            owner.Enter();
            queue.Hold(request, Time.GetTimestamp());
            LockMetrics.Granted(mode, TimeSpan.Zero);
            return new InMemoryRangeLock(this, request);
        }
    }

    private async ValueTask<RangeLock> WaitFor(LockResource resource, KeyRange[] ranges, LockMode mode, LockOwner owner, TimeSpan timeout,
        long asked, CancellationToken cancellationToken)
    {
        var queue = await QueueOf(resource, cancellationToken);
        LockRequest request;
        lock (_gate)
        {
            request = NewRequest(queue, ranges, mode, owner);
            Enqueue(request);
        }

        try
        {
            await request.Granted.WaitAsync(timeout, Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            if (Withdraw(request))
            {
                LockMetrics.Refused(mode, "timeout");
                throw new RangeLockTimeoutException(resource, timeout);
            }

            await request.Granted; // granted, or ended, in the same moment
        }
        catch (OperationCanceledException)
        {
            GiveBack(request);
            LockMetrics.Refused(mode, "cancelled");
            throw;
        }

        LockMetrics.Granted(mode, Time.GetElapsedTime(asked));
        return new InMemoryRangeLock(this, request);
    }

    private void Enqueue(LockRequest request)
    {
        var queue = request.Queue;
        var blockers = queue.Blockers(request).Count();
        LockMetrics.Met(request.Mode, blockers);
        if (blockers > 0 && queue.Waiting.Count >= WaitersMax) throw LockErrors.TooManyWaiters(queue.Resource, WaitersMax);
        if (blockers > 0 && WaitGraph.ClosesCircle(request, _queues.Values))
        {
            LockMetrics.Refused(request.Mode, "deadlock");
            throw new RangeLockDeadlockException(queue.Resource);
        }

        request.Owner.Enter();
        if (blockers == 0) queue.Hold(request, Time.GetTimestamp());
        else queue.Wait(request);
    }

    private bool Withdraw(LockRequest request)
    {
        lock (_gate)
        {
            if (request.Token is not null || !request.Queue.Remove(request)) return false;
            Left(request);
            HandOff(request.Queue);
            return true;
        }
    }

    private LockRequest NewRequest(LockQueue queue, KeyRange[] ranges, LockMode mode, LockOwner owner)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        LockMetrics.Asked(mode);
        return new LockRequest(queue, (++_requests).ToString(), owner, mode, ranges, Time.GetTimestamp());
    }

    private void HandOff(LockQueue queue) => queue.HandOff(Time.GetTimestamp());

    private void Left(LockRequest request)
    {
        request.Owner.Leave();
        if (request.Token is not null) LockMetrics.Ended(request.Mode, Time.GetElapsedTime(request.Since));
    }

    private static void ThrowIfNotHeld(LockRequest request)
    {
        if (!request.Queue.Held.Contains(request)) throw new RangeLockLostException(request.Queue.Resource);
    }

    private async ValueTask<LockQueue> QueueOf(LockResource resource, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_queues.TryGetValue(resource, out var known)) return known;
        }

        // One caller starts the resource's epoch, the others wait for it: a process has one epoch per resource.
        var starting = _starting.GetOrAdd(resource, _ => new SemaphoreSlim(1));
        await starting.WaitAsync(cancellationToken);
        try
        {
            lock (_gate)
            {
                if (_queues.TryGetValue(resource, out var known)) return known;
            }

            var queue = new LockQueue(resource, await Advance(resource, cancellationToken));
            lock (_gate) _queues.Add(resource, queue);
            return queue;
        }
        finally
        {
            starting.Release();
        }
    }

    private async ValueTask<long> Advance(LockResource resource, CancellationToken cancellationToken)
    {
        while (true)
        {
            var seen = await _epochs.ReadAsync(resource, cancellationToken);
            if (await _epochs.AdvanceAsync(resource, seen, cancellationToken) is { } epoch) return epoch;
        }
    }
}
