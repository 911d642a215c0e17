namespace DbSync.Locking;

/// <summary>What <c>dbsync locks list/watch/release/reset</c> is made of.</summary>
public interface IRangeLockInspector
{
    /// <summary>The most holders and waiters of one resource that a snapshot shows; <see cref="LockSnapshot.Truncated"/> tells when there are more.</summary>
    const int EntriesMax = 1_000;

    /// <summary>The resources that have been locked since the lock server was last emptied, in the order of their names.</summary>
    ValueTask<IReadOnlyList<LockResource>> ListResourcesAsync(CancellationToken cancellationToken);

    /// <summary>Who holds and who waits, at one moment.</summary>
    ValueTask<LockSnapshot> SnapshotAsync(LockResource resource, CancellationToken cancellationToken);

    /// <summary>A snapshot at once, and one more at every <paramref name="interval"/>, until cancelled.</summary>
    IAsyncEnumerable<LockSnapshot> WatchAsync(LockResource resource, TimeSpan interval, CancellationToken cancellationToken);

    /// <summary>Revokes one held lock, whose holder is told through its LostToken, or ends one wait, whose caller gets DBS6001.</summary>
    /// <exception cref="DbSyncException">DBS6011: it is gone already.</exception>
    ValueTask ReleaseAsync(LockResource resource, LockEntryId entry, CancellationToken cancellationToken);

    /// <summary>
    /// Forgets everything about a resource and raises its epoch: every holder is told that its lock is lost, and every older token,
    /// forged ones included, is refused by the fence from now on.
    /// </summary>
    /// <returns>The new epoch.</returns>
    ValueTask<long> ResetAsync(LockResource resource, CancellationToken cancellationToken);
}
