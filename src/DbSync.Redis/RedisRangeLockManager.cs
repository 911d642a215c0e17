using DbSync.Locking;
using DbSync.Redis.Leases;
using DbSync.Redis.Wire;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace DbSync.Redis;

/// <summary>
/// Range locks for many processes, on Redis 7+ or Valkey: a single server, Sentinel, or a cluster (a resource lives on one node). Whatever
/// the server forgets, tokens never go back: the epoch is in PostgreSQL. For correctness (not just to save work), have
/// PostgreSQL check the token (<see cref="IFence"/>): a lock server alone can't stop a process that stood still past its lease.
/// </summary>
/// <remarks>
/// The connection stays the caller's. A user limited by ACL needs the rules that <c>dbsync explain DBS6007</c> lists, and a connection
/// string with <c>configChannel=</c> (empty), since it may not subscribe to other channels.
/// </remarks>
public sealed class RedisRangeLockManager : IRangeLockManager
{
    private static readonly TimeSpan Backoff = TimeSpan.FromMilliseconds(50);

    private readonly IConnectionMultiplexer _redis;
    private readonly RedisRangeLockOptions _options;
    private readonly TimeProvider _time;
    private readonly LockLibrary _library;
    private readonly LeaseOpener _opener;
    private readonly LeaseChecks _checks;
    private readonly LeaseKeeper _keeper;
    private readonly LockMessages _messages;
    private int _disposing;

    /// <summary>Creates a manager; nothing is sent before the first lock is asked for.</summary>
    /// <param name="redis">The connection.</param>
    /// <param name="epochs">Where epochs live: PostgreSQL, unless no fence checks the tokens.</param>
    /// <param name="options">Limits; null for the defaults.</param>
    /// <param name="time">The clock; default: the system's.</param>
    /// <param name="logger">Where lost leases, new epochs and released orphans are told.</param>
    /// <exception cref="DbSyncException">DBS1001: an option is out of its bounds.</exception>
    public RedisRangeLockManager(IConnectionMultiplexer redis, IEpochStore epochs, RedisRangeLockOptions? options = null,
        TimeProvider? time = null, ILogger<RedisRangeLockManager>? logger = null)
        : this(redis, epochs, options, time, logger, LockLibrary.Code)
    {
    }

    /// <summary>With another library, which the tests make faulty to see whether they notice.</summary>
    internal RedisRangeLockManager(IConnectionMultiplexer redis, IEpochStore epochs, RedisRangeLockOptions? options, TimeProvider? time,
        ILogger? logger, string code)
    {
        ArgumentNullException.ThrowIfNull(redis);
        ArgumentNullException.ThrowIfNull(epochs);
        _redis = redis;
        _options = options ?? new RedisRangeLockOptions();
        _options.Validate();
        _time = time ?? TimeProvider.System;
        var log = logger ?? NullLogger.Instance;
        var keys = new LockKeys(_options.Prefix);
        _library = new LockLibrary(redis, code);
        _opener = new LeaseOpener(_library, keys, epochs, _options, _time, log);
        _checks = new LeaseChecks(_library, new DeadlockSearch(_library, keys), _options, _time, log);
        _keeper = new LeaseKeeper(_library, _opener, _checks, _options, _time, log);
        _messages = new LockMessages(redis, keys.Channel(_opener.Client), _keeper, _time);
        Inspector = new RedisRangeLockInspector(_library, keys, _opener, _time);
    }

    /// <inheritdoc />
    public IRangeLockInspector Inspector { get; }

    /// <inheritdoc />
    public ValueTask<RangeLock> AcquireAsync(LockResource resource, IReadOnlyList<KeyRange> ranges, LockMode mode,
        RangeLockOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= RangeLockOptions.Default;
        options.Validate();
        var owner = options.Owner ?? LockOwner.OfThisFlow();
        return Wait(new Wanted(resource, KeyRangeSet.Normalise(ranges), mode, owner, options.WaitTimeout, _time.GetTimestamp()), cancellationToken);
    }

    /// <inheritdoc />
    public ValueTask<RangeLock?> TryAcquireAsync(LockResource resource, IReadOnlyList<KeyRange> ranges, LockMode mode,
        RangeLockOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= RangeLockOptions.Default;
        options.Validate();
        var owner = options.Owner ?? LockOwner.OfThisFlow();
        return Take(new Wanted(resource, KeyRangeSet.Normalise(ranges), mode, owner, Timeout: null, _time.GetTimestamp()), cancellationToken);
    }

    /// <summary>Gives back every lock, tells their holders, and ends the waits. The connection stays open.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposing, 1) == 1) return;
        var leases = _keeper.Leases.ToArray();
        _keeper.Dispose();
        foreach (var lease in leases) lease.TryEnd(WaitEnd.Disposed);
        if (_redis.IsConnected)
            await Task.WhenAny(Task.WhenAll(leases.Select(_checks.Close)), Task.Delay(_options.OperationTimeout, _time));
        await _messages.DisposeAsync();
        _library.Dispose();
    }

    /// <summary>Upgrade or downgrade: the sequence number, or null when it is refused.</summary>
    internal async Task<long?> Convert(LockRequest request, string function, CancellationToken cancellationToken)
    {
        var reply = await Patiently(request, _options.OperationTimeout,
            () => _library.Call(function, request.Lease.Key, request.Lease.EpochText, request.Lease.Name, request.Number), cancellationToken);
        switch (reply?.Status)
        {
            case 'G':
                return reply.Value.Number(1);
            case 'B':
                return null;
            case 'N':
                request.Lose(WaitEnd.Revoked);
                break;
            case { } status:
                _keeper.End(request.Lease, status);
                break;
        }

        throw new RangeLockLostException(request.Lease.Resource);
    }

    /// <summary>Gives back a lock or a wait. When the server can't be told now, the next renewal finds the orphan.</summary>
    internal async Task GiveBack(LockRequest request)
    {
        if (!request.Leave() || request.Lease.IsOver) return;
        try
        {
            await request.Lease.Calls.Call(request.Number).WaitAsync(_options.OperationTimeout, _time);
        }
        catch (Exception failure) when (failure is DbSyncException or TimeoutException)
        {
            // Reconciling (LeaseChecks) gives it back as soon as the server answers; if it never does, the lease ends it.
        }
    }

    private async ValueTask<RangeLock> Wait(Wanted wanted, CancellationToken cancellationToken) =>
        await Take(wanted, cancellationToken) ?? throw new RangeLockTimeoutException(wanted.Resource, wanted.Timeout!.Value);

    // One round per lease: when a lease ends under a wait, the wait begins again under a new one.
    private async ValueTask<RangeLock?> Take(Wanted wanted, CancellationToken cancellationToken)
    {
        LockMetrics.Asked(wanted.Mode);
        var patience = wanted.Timeout ?? _options.OperationTimeout;
        while (true)
        {
            var left = patience - _time.GetElapsedTime(wanted.Asked);
            try
            {
                ObjectDisposedException.ThrowIf(_disposing == 1, this);
                var lease = await LeaseFor(wanted.Resource, cancellationToken);
                ObjectDisposedException.ThrowIf(_disposing == 1, this); // a lease kept before this check is ended by disposing
                if (lease.TryAdd(wanted.Owner, wanted.Mode, wanted.Ranges, wanted.Asked) is not { } request) continue;
                switch (await Ask(request, wanted, left, cancellationToken))
                {
                    case WaitEnd.Granted:
                        return new RedisRangeLock(this, request);
                    case WaitEnd.Revoked:
                        LockMetrics.Refused(wanted.Mode, "revoked");
                        throw new RangeLockLostException(wanted.Resource);
                    case WaitEnd.Deadlock:
                        LockMetrics.Refused(wanted.Mode, "deadlock");
                        throw new RangeLockDeadlockException(wanted.Resource);
                    case null:
                        LockMetrics.Refused(wanted.Mode, wanted.Timeout is null ? "busy" : "timeout");
                        return null;
                }
            }
            catch (DbSyncException failure) when (RedisFailures.IsTransient(failure) && left > Backoff)
            {
                await Task.Delay(Backoff, _time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                LockMetrics.Refused(wanted.Mode, "cancelled");
                throw;
            }
        }
    }

    // Null: refused, or not in time. Whatever goes wrong, the request is withdrawn before the caller hears of it: an answer that didn't come
    // means "unknown", not "no".
    private async Task<WaitEnd?> Ask(LockRequest request, Wanted wanted, TimeSpan left, CancellationToken stop)
    {
        var isOurs = false;
        try
        {
            var wait = wanted.Timeout is not null;
            var words = request.Words(wait);
            var reply = await Patiently(request, left, () => request.Lease.Calls.Call(words), stop);
            if (reply is null) return WaitEnd.LeaseOver;
            switch (reply.Value.Status)
            {
                case 'G':
                    request.Grant(reply.Value.Number(1), _time);
                    break;
                case 'B':
                    return null;
                case 'Q':
                    throw LockErrors.TooManyWaiters(wanted.Resource, _options.WaitersMax);
                case 'W':
                    LockMetrics.Met(request.Mode, reply.Value.Number(2));
                    request.Lease.Queue(request);
                    break;
                default:
                    _keeper.End(request.Lease, reply.Value.Status);
                    return WaitEnd.LeaseOver;
            }

            var end = await request.End.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time, stop);
            request.Lease.Unqueue(request);
            isOurs = end == WaitEnd.Granted;
            if (end == WaitEnd.Deadlock) await Withdraw(request);
            return end == WaitEnd.Disposed ? throw new ObjectDisposedException(nameof(RedisRangeLockManager)) : end;
        }
        catch (TimeoutException)
        {
            return null;
        }
        finally
        {
            if (!isOurs) await GiveBack(request);
        }
    }

    // Repeats a call while the server can't be reached: the request's number makes that harmless. Null when the request is gone meanwhile.
    private async Task<LockReply?> Patiently(LockRequest request, TimeSpan patience, Func<Task<LockReply>> call, CancellationToken stop)
    {
        var started = _time.GetTimestamp();
        while (request.IsWaiting || request.IsHeld)
        {
            try
            {
                return await call().WaitAsync(stop);
            }
            catch (DbSyncException failure) when (RedisFailures.IsTransient(failure) && _time.GetElapsedTime(started) < patience - Backoff)
            {
                await Task.Delay(Backoff, _time, stop);
            }
        }

        return null;
    }

    private async Task Withdraw(LockRequest request)
    {
        try
        {
            await request.Lease.Calls.Call(request.Number);
        }
        catch (DbSyncException)
        {
            // As in GiveBack: reconciling or the lease will.
        }
    }

    private async ValueTask<Lease> LeaseFor(LockResource resource, CancellationToken cancellationToken)
    {
        await _messages.Start();
        var (lease, isNew) = await _opener.Open(resource, cancellationToken);
        if (isNew) _keeper.Keep(lease);
        return lease;
    }

    private sealed record Wanted(LockResource Resource, KeyRange[] Ranges, LockMode Mode, LockOwner Owner, TimeSpan? Timeout, long Asked);
}
