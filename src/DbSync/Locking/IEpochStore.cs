namespace DbSync.Locking;

/// <summary>
/// Where a resource's epoch survives whatever the lock server forgets: PostgreSQL, in <c>dbsync.lock_resource</c>. A lock manager raises
/// the epoch before it grants on a server that may have lost state, which makes every older token worthless.
/// </summary>
public interface IEpochStore
{
    /// <summary>The current epoch; 0 for a resource that was never locked.</summary>
    /// <exception cref="DbSyncException">DBS2001: the store can't be reached; DBS1002: it isn't initialised.</exception>
    ValueTask<long> ReadAsync(LockResource resource, CancellationToken cancellationToken);

    /// <summary>
    /// Raises the epoch by one if it still is <paramref name="seen"/>, and returns once that is durable. Waits for guarded
    /// transactions that run under the old epoch.
    /// </summary>
    /// <returns>The new epoch, or null when somebody else raised it first.</returns>
    /// <exception cref="DbSyncException">DBS2001, DBS1002 as above; DBS6010: the resource has used up all its epochs.</exception>
    ValueTask<long?> AdvanceAsync(LockResource resource, long seen, CancellationToken cancellationToken);
}
