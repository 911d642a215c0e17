using DbSync.Redis.Wire;
using Microsoft.Extensions.Logging;

namespace DbSync.Redis.Leases;

/// <summary>
/// The nets under the fast paths. Each ends quietly when the server can't be reached: the next round comes soon, and the lease is the last word.
/// </summary>
internal sealed partial class LeaseChecks(LockLibrary library, DeadlockSearch deadlocks, RedisRangeLockOptions options, TimeProvider time,
    ILogger logger)
{
    private const int RequestsPerCall = 256;

    private int _searching;

    /// <summary>Looks up waits whose wake-up message may have been lost.</summary>
    public async Task Poll(Lease lease, Action<Lease, char> end)
    {
        try
        {
            foreach (var some in lease.Queued.ToArray().Chunk(RequestsPerCall))
            {
                var reply = await library.Call("status", lease.Key,
                    [lease.EpochText, lease.Name, .. some.Select(request => (StackExchange.Redis.RedisValue)request.Number)]);
                if (reply.Status != 'A')
                {
                    end(lease, reply.Status);
                    return;
                }

                for (var i = 0; i < some.Length; i++)
                {
                    if (reply.Number(i + 1) > 0) some[i].Grant(reply.Number(i + 1), time);
                    else if (reply.Number(i + 1) < 0) some[i].Lose(WaitEnd.Revoked);
                }
            }
        }
        catch (DbSyncException failure)
        {
            Log.CheckFailed(logger, nameof(Poll), failure);
        }
    }

    /// <summary>
    /// Compares the server's list with ours. What only the server has is an orphan, left by a request that was cut off and arrived after its own
    /// withdrawal: given back. What only we have was revoked: its holder is told.
    /// </summary>
    public async Task Reconcile(Lease lease)
    {
        try
        {
            var ours = lease.Requests.Where(request => request.IsHeld).ToArray();
            var theirs = new HashSet<string>(StringComparer.Ordinal);
            var cursor = "0";
            do
            {
                var page = await library.Call("mine", lease.Key, lease.EpochText, lease.Name, cursor);
                if (page.Status != 'A') return; // the next renewal will say why
                cursor = page.Text(1);
                for (var i = 2; i < page.Length; i++) theirs.Add(page.Text(i));
            }
            while (cursor != "0");

            foreach (var request in ours.Where(request => request.IsHeld && !theirs.Contains(request.Number))) request.Lose(WaitEnd.Revoked);
            foreach (var orphan in theirs.Where(number => lease.Find(number) is null))
            {
                var reply = await lease.Calls.Call(orphan);
                if (reply.Status == 'R') Log.OrphanReleased(logger, lease.Name, orphan);
            }
        }
        catch (DbSyncException failure)
        {
            Log.CheckFailed(logger, nameof(Reconcile), failure);
        }
    }

    /// <summary>Gives back everything of a lease and the lease itself.</summary>
    public async Task Close(Lease lease)
    {
        try
        {
            LockReply reply;
            do
            {
                reply = await library.Call("close", lease.Key, lease.EpochText, lease.Name);
            }
            while (reply.Status == 'R' && reply.Number(1) > 0);
        }
        catch (DbSyncException failure)
        {
            Log.CheckFailed(logger, nameof(Close), failure);
        }
    }

    /// <summary>Starts a search if some wait has lasted long enough and none is running.</summary>
    public void SearchDeadlocks(ICollection<Lease> leases)
    {
        var now = time.GetTimestamp();
        var old = leases.SelectMany(lease => lease.Queued)
            .Where(request => time.GetElapsedTime(request.DeadlockChecked, now) >= options.DeadlockCheckAfter)
            .ToArray();
        if (old.Length == 0 || Interlocked.Exchange(ref _searching, 1) == 1) return;
        foreach (var request in old) request.DeadlockChecked = now;
        _ = Search(old);
    }

    private async Task Search(LockRequest[] waits)
    {
        try
        {
            foreach (var victim in await deadlocks.Find(waits)) victim.Lose(WaitEnd.Deadlock);
        }
        catch (DbSyncException failure)
        {
            Log.CheckFailed(logger, nameof(Search), failure);
        }
        finally
        {
            Volatile.Write(ref _searching, 0);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(6004, LogLevel.Debug, "{Check} of locks was cut short; it runs again")]
        public static partial void CheckFailed(ILogger logger, string check, Exception failure);

        [LoggerMessage(6005, LogLevel.Information, "Lease {Lease} had an orphaned request {Request}; it was given back")]
        public static partial void OrphanReleased(ILogger logger, string lease, string request);
    }
}
