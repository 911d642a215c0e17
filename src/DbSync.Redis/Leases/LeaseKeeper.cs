using System.Collections.Concurrent;
using DbSync.Redis.Wire;
using Microsoft.Extensions.Logging;

namespace DbSync.Redis.Leases;

/// <summary>
/// Renews leases, ends those that ran out, and looks after waits, on a thread of its own: a thread pool that is busy must not cost a lease
/// (RedLock.net issues 48 and 68). It never blocks on the network: it starts calls and looks at them again.
/// </summary>
internal sealed partial class LeaseKeeper(LockLibrary library, LeaseOpener opener, LeaseChecks checks, RedisRangeLockOptions options,
    TimeProvider time, ILogger logger) : IDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    private readonly ConcurrentDictionary<string, Lease> _leases = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Lock _starting = new();
    private Thread? _thread;
    private long _polled = time.GetTimestamp();
    private volatile bool _pollNow;
    private volatile bool _stopping;

    public ICollection<Lease> Leases => _leases.Values;

    public Lease? Find(string name) => _leases.GetValueOrDefault(name);

    public void Keep(Lease lease)
    {
        _leases[lease.Name] = lease;
        lock (_starting)
        {
            if (_thread is not null || _stopping) return;
            _thread = new Thread(Run) { IsBackground = true, Name = "dbsync-locks", Priority = ThreadPriority.AboveNormal };
            _thread.Start();
        }
    }

    /// <summary>Looks up all waits as soon as possible: after a reconnect, messages may have been missed.</summary>
    public void PollNow()
    {
        _pollNow = true;
        _wake.Release();
    }

    /// <summary>Ends a lease that a reply says is over, and remembers damage: found, or not to be found, since a server that may evict loses any key.</summary>
    public void End(Lease lease, char status)
    {
        if (status is 'D' or 'P') opener.Distrust(lease.Resource, lease.Epoch);
        if (lease.TryEnd()) Log.LeaseOver(logger, lease.Name, status);
        _leases.TryRemove(lease.Name, out _);
    }

    public void Dispose()
    {
        Thread? thread;
        lock (_starting)
        {
            _stopping = true;
            thread = _thread;
        }

        _wake.Release();
        thread?.Join();
        _wake.Dispose();
    }

    private void Run()
    {
        while (!_stopping)
        {
            var next = options.PollInterval;
            foreach (var lease in _leases.Values)
            {
                var due = Look(lease);
                if (due < next) next = due;
            }

            LookAfterWaits();
            _wake.Wait(next > LookAgain ? next : LookAgain);
        }
    }

    // Returns when to look at this lease again.
    private TimeSpan Look(Lease lease)
    {
        if (lease.Renewal is { IsCompleted: true } renewal)
        {
            lease.Renewal = null;
            if (renewal.IsCompletedSuccessfully) Renewed(lease, renewal.GetAwaiter().GetResult());
            else Log.RenewalFailed(logger, lease.Name, renewal.Exception?.InnerException);
        }

        if (lease.IsOver || lease.Left <= TimeSpan.Zero)
        {
            End(lease, 'S');
            return options.PollInterval;
        }

        if (lease.TryRetire(options.LeaseDuration))
        {
            _leases.TryRemove(lease.Name, out _);
            _ = checks.Close(lease);
            return options.PollInterval;
        }

        if (lease.Renewal is not null) return LookAgain;
        var due = (options.LeaseDuration / 3) - time.GetElapsedTime(lease.RenewalSent);
        if (due > TimeSpan.Zero) return due < lease.Left ? due : lease.Left;
        lease.RenewalSent = time.GetTimestamp();
        lease.Renewal = library.Call("renew", lease.Key, lease.EpochText, lease.Name, (long)options.LeaseDuration.TotalMilliseconds);
        return LookAgain;
    }

    private void Renewed(Lease lease, LockReply reply)
    {
        if (reply.Status != 'A')
        {
            End(lease, reply.Status);
            return;
        }

        lease.Confirm(lease.RenewalSent);
        if (reply.Number(1) != lease.Count) _ = checks.Reconcile(lease);
    }

    private void LookAfterWaits()
    {
        if (!_pollNow && time.GetElapsedTime(_polled) < options.PollInterval) return;
        _pollNow = false;
        _polled = time.GetTimestamp();
        foreach (var lease in _leases.Values)
            if (lease.Queued.Count > 0)
                _ = checks.Poll(lease, End);
        checks.SearchDeadlocks(_leases.Values);
    }

    private static partial class Log
    {
        [LoggerMessage(6002, LogLevel.Warning, "Lease {Lease} is over ({Status}); its locks are lost, its waits begin again")]
        public static partial void LeaseOver(ILogger logger, string lease, char status);

        [LoggerMessage(6003, LogLevel.Warning, "Lease {Lease} could not be renewed; trying again until it runs out")]
        public static partial void RenewalFailed(ILogger logger, string lease, Exception? failure);
    }
}
