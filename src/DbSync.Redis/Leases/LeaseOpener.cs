using System.Collections.Concurrent;
using System.Security.Cryptography;
using DbSync.Locking;
using DbSync.Redis.Wire;
using Microsoft.Extensions.Logging;

namespace DbSync.Redis.Leases;

/// <summary>
/// Opens leases, and begins a new epoch where the server may have forgotten something: it was restarted, flushed, failed over or damaged. The
/// epoch is raised in PostgreSQL, committed, and only then installed, by the one who raised it: so no epoch is ever installed twice.
/// </summary>
internal sealed partial class LeaseOpener(LockLibrary library, LockKeys keys, IEpochStore epochs, RedisRangeLockOptions options,
    TimeProvider time, ILogger logger)
{
    /// <summary>More than enough for others to finish what they began; more means something is wrong.</summary>
    private const int AttemptsMax = 100;

    private readonly ConcurrentDictionary<LockResource, ResourceState> _resources = new();
    private long _leases;

    /// <summary>This process's name at the lock server; leases are numbered under it.</summary>
    public string Client { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    /// <summary>The lease to ask under, and whether it was just opened.</summary>
    public async ValueTask<(Lease Lease, bool IsNew)> Open(LockResource resource, CancellationToken cancellationToken)
    {
        var state = _resources.GetOrAdd(resource, _ => new ResourceState());
        if (state.Lease is { IsOver: false } known) return (known, false);
        await state.Opening.WaitAsync(cancellationToken);
        try
        {
            if (state.Lease is { IsOver: false } meanwhile) return (meanwhile, false);
            return (state.Lease = await OpenNew(resource, state, cancellationToken), true);
        }
        finally
        {
            state.Opening.Release();
        }
    }

    /// <summary>The next lease of this resource begins with a new epoch: the server's memory of it is damaged.</summary>
    public void Distrust(LockResource resource, long epoch)
    {
        if (_resources.TryGetValue(resource, out var state)) state.Distrusted = epoch;
    }

    /// <summary>Raises the epoch and installs it, whatever the server remembers; the epoch installed afterwards.</summary>
    public async Task<long> BeginEpoch(LockResource resource, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
            if (await TryBeginEpoch(resource, await epochs.ReadAsync(resource, cancellationToken), cancellationToken) is { } epoch)
                return epoch;
        throw Unsettled();
    }

    public static DbSyncException MayEvict() => new(ErrorCodes.LockServerUnsupported,
        "Redis may evict the keys of locks: maxmemory is set and maxmemory-policy is one of allkeys-*.",
        "CONFIG SET maxmemory-policy noeviction");

    private async Task<Lease> OpenNew(LockResource resource, ResourceState state, CancellationToken cancellationToken)
    {
        var key = keys.Base(resource);
        await library.RequireRights(key);
        await library.Database.SetAddAsync(keys.Resources, resource.Name).WaitAsync(cancellationToken).Translated();
        var looked = -1L;
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            var name = $"{Client}-{Interlocked.Increment(ref _leases)}";
            var sent = time.GetTimestamp();
            var before = state.Lease is { IsCleared: true } last && last.Epoch == state.Epoch ? last.Name : "";
            var reply = await library.Call("open", key, state.Epoch.ToString(), name, (long)options.LeaseDuration.TotalMilliseconds, before);
            if (reply.Status == 'O' && state.Epoch != state.Distrusted)
                return new Lease(name, resource, key, state.Epoch, sent, library, options, time);
            if (reply.Status == 'E' && reply.Number(1) != state.Distrusted && reply.Number(1) > state.Epoch)
            {
                state.Epoch = reply.Number(1); // the function has checked that this epoch was installed on this very server
                continue;
            }

            if (reply.Status == 'P') throw MayEvict();

            // An epoch below the one we know is an old primary's, that we came back to: the fence would refuse all it grants.

            // An epoch that we didn't know yet is probably being installed by the one who raised it: look again before raising it once more.
            var seen = await epochs.ReadAsync(resource, cancellationToken);
            if (seen == state.Epoch || seen == looked)
            {
                if (await TryBeginEpoch(resource, seen, cancellationToken) is { } epoch) state.Epoch = epoch;
                continue;
            }

            looked = seen;
            await Pause(cancellationToken);
        }

        throw Unsettled();
    }

    // Others may see the same and do the same: the compare-and-set lets one of them, and the rest come back a moment later.
    private async Task<long?> TryBeginEpoch(LockResource resource, long seen, CancellationToken cancellationToken)
    {
        if (await epochs.AdvanceAsync(resource, seen, cancellationToken) is not { } epoch)
        {
            await Pause(cancellationToken);
            return null;
        }

        var reply = await library.Call("install", keys.Base(resource), epoch.ToString(), resource.Name);
        if (reply.Status == 'P') throw MayEvict();
        if (reply.Status == 'I') Log.EpochBegun(logger, epoch);
        return reply.Status == 'E' ? reply.Number(1) : epoch;
    }

    private Task Pause(CancellationToken cancellationToken) =>
        Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(5, 50)), time, cancellationToken);

    private static DbSyncException Unsettled() => new(ErrorCodes.LockStateDamaged, "The epoch of the locks never settled.",
        "Look whether two lock servers are used for the same resources and the same PostgreSQL database.");

    private sealed class ResourceState
    {
        public SemaphoreSlim Opening { get; } = new(1);

        public Lease? Lease { get; set; }

        public long Epoch { get; set; }

        public long Distrusted { get; set; } = -1;
    }

    private static partial class Log
    {
        [LoggerMessage(6001, LogLevel.Information, "Locks begin epoch {Epoch}: the lock server was empty, restarted, failed over, damaged or reset")]
        public static partial void EpochBegun(ILogger logger, long epoch);
    }
}
