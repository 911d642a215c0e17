using DbSync.Locking;
using DbSync.Testing;

namespace DbSync.Redis.Tests;

/// <summary>
/// Every token that was ever granted for one key, exclusively. No token may appear twice, and a request made after a grant was seen must get a
/// larger one: that is all that "tokens never go back" means to a fence.
/// </summary>
internal sealed class TokenLedger
{
    private readonly Lock _gate = new();
    private readonly HashSet<long> _seen = [];
    private readonly List<string> _faults = [];

    public FencingToken Largest { get; private set; }

    public int Grants
    {
        get { lock (_gate) return _seen.Count; }
    }

    public IReadOnlyList<string> Faults
    {
        get { lock (_gate) return [.. _faults]; }
    }

    public void Granted(FencingToken token, FencingToken largestWhenAsked)
    {
        lock (_gate)
        {
            if (!_seen.Add(token.Value)) _faults.Add($"{token} was granted twice");
            if (token <= largestWhenAsked) _faults.Add($"{token} was granted to a request made after {largestWhenAsked}");
            if (token > Largest) Largest = token;
        }
    }

    /// <summary>
    /// Eight contenders over the given managers (each its own connection) while a fault is done some times; each time work must go on. Nothing but
    /// progress and the tokens is judged.
    /// </summary>
    public static async Task<TokenLedger> UnderContention(IReadOnlyList<IRangeLockManager> managers, LockResource resource, int times, Func<Task> fault,
        CancellationToken cancellationToken)
    {
        const int contendersMax = 8, grantsToGoOn = 50;
        var ledger = new TokenLedger();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var contenders = Enumerable.Range(0, contendersMax)
            .Select(i => Task.Run(() => ledger.Contend(managers[i % managers.Count], resource, stop.Token), cancellationToken)).ToArray();
        await GoOn();
        for (var i = 0; i < times; i++)
        {
            await fault();
            await GoOn();
        }

        await stop.CancelAsync();
        await Task.WhenAll(contenders);
        ledger.Faults.ShouldBeEmpty();
        return ledger;

        async Task GoOn()
        {
            var goal = ledger.Grants + grantsToGoOn;
            await Eventually.Async(() => ledger.Grants >= goal || ledger.Faults.Count > 0, TimeSpan.FromSeconds(60),
                () => $"{ledger.Grants} grants of {goal}", cancellationToken);
        }
    }

    /// <summary>Takes and gives back one key until stopped; a lock that is lost or a server that is away is no fault, a wrong token is.</summary>
    public async Task Contend(IRangeLockManager locks, LockResource resource, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                FencingToken before;
                lock (_gate) before = Largest;
                await using var held = await locks.AcquireAsync(resource, KeyRange.Single(1), LockMode.Exclusive,
                    new RangeLockOptions { WaitTimeout = TimeSpan.FromSeconds(20), Owner = LockOwner.New() }, stop);
                Granted(held.FencingToken, before);
                await Task.Yield();
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (DbSyncException failure) when (failure.Code is "DBS6002" or "DBS6005")
            {
                // The server is away for longer than a request waits.
            }
        }
    }
}
