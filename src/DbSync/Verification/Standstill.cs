namespace DbSync;

/// <summary>
/// Holds the shards still at a position that equals a snapshot of the primary, while somebody compares, mends or copies: one at a time,
/// for a bounded time.
/// </summary>
internal sealed class Standstill(string node, IControlPlane control, PositionHold hold, PositionWaiter positions, TimeSpan holdMax, TimeProvider time) : IDisposable
{
    private const int AttemptsMax = 20;
    private readonly SemaphoreSlim _one = new(1);

    public void Dispose() => _one.Dispose();

    /// <summary>Runs something while the shards stand still; again when it was not done within the time.</summary>
    /// <param name="locked">Tables that are locked against changes of their shape before the snapshot is taken, so that it can be read by.</param>
    /// <param name="action">What to do, with the snapshot and the position that equals it.</param>
    /// <param name="tooLong">Told each time when it took too long.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>False when no position of the log equals a snapshot.</returns>
    public async Task<bool> TryAsync(
        IReadOnlyCollection<TableSchema> locked, Func<ISharedSnapshot, Lsn, CancellationToken, Task> action, Action tooLong, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            for (var attempt = 0; attempt < AttemptsMax; attempt++)
                if (await TryOnceAsync(locked, action, tooLong, cancellationToken)) return true;
            return false;
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<bool> TryOnceAsync(
        IReadOnlyCollection<TableSchema> locked, Func<ISharedSnapshot, Lsn, CancellationToken, Task> action, Action tooLong, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(holdMax, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            hold.Freeze();
            await using var snapshot = await control.TakeSnapshotAsync(locked, both.Token);
            var holding = hold.HoldAsync(snapshot.Snapshot, snapshot.InsertedUpTo);
            await control.BeatAsync(node, both.Token); // a commit that the snapshot can't see, so that the log goes past it
            if (await holding.WaitAsync(both.Token) is not { } held) return false;
            await positions.WaitAsync(held, both.Token);
            await action(snapshot, held, both.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            tooLong();
            return false;
        }
        finally
        {
            hold.Release();
        }
    }
}
