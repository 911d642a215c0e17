namespace DbSync.Locking;

/// <summary>
/// Shared and exclusive locks over ranges of keys. Among requests that conflict the first to arrive is served first, by direct hand-off:
/// nobody barges in, and a large or exclusive range isn't starved. Requests that don't conflict pass each other. Safe for
/// any number of threads; one per process and lock server is enough.
/// </summary>
/// <remarks>
/// Source of the ordering rule: the Linux kernel's range lock (J. Kara, D. Bueso; LWN 724502): a request waits for every earlier
/// overlapping one it is incompatible with, held or waiting, and for nothing else.
/// </remarks>
public interface IRangeLockManager : IAsyncDisposable
{
    /// <summary>Holders and waiters, and what an operator may do about them.</summary>
    IRangeLockInspector Inspector { get; }

    /// <summary>Waits for a lock on all of <paramref name="ranges"/>, or none of them.</summary>
    /// <param name="resource">What the ranges belong to.</param>
    /// <param name="ranges">1 to <see cref="RangeLockOptions.RangesMax"/> ranges; they may overlap each other.</param>
    /// <param name="mode">Shared or exclusive.</param>
    /// <param name="options">How to wait; null for <see cref="RangeLockOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends the wait. A lock granted in the same moment is given back, never orphaned.</param>
    /// <exception cref="RangeLockTimeoutException">DBS6002: not within <see cref="RangeLockOptions.WaitTimeout"/>.</exception>
    /// <exception cref="RangeLockDeadlockException">DBS6003: the owners of the conflicting locks wait for this one.</exception>
    /// <exception cref="DbSyncException">DBS6004: an unusable name, key or range; DBS6005: the lock server can't be reached;
    /// DBS6009: too many requests wait already.</exception>
    ValueTask<RangeLock> AcquireAsync(LockResource resource, IReadOnlyList<KeyRange> ranges, LockMode mode,
        RangeLockOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Takes a lock on all of <paramref name="ranges"/> if that is possible without waiting.</summary>
    /// <returns>The lock, or null when a conflicting lock is held or waited for.</returns>
    /// <inheritdoc cref="AcquireAsync" path="/param" />
    /// <exception cref="DbSyncException">As <see cref="AcquireAsync"/>.</exception>
    ValueTask<RangeLock?> TryAcquireAsync(LockResource resource, IReadOnlyList<KeyRange> ranges, LockMode mode,
        RangeLockOptions? options = null, CancellationToken cancellationToken = default);
}
