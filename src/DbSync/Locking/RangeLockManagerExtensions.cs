namespace DbSync.Locking;

/// <summary>The common case of one range.</summary>
public static class RangeLockManagerExtensions
{
    /// <summary>Waits for a lock on one range; see <see cref="IRangeLockManager.AcquireAsync"/>.</summary>
    public static ValueTask<RangeLock> AcquireAsync(this IRangeLockManager manager, LockResource resource, KeyRange range, LockMode mode,
        RangeLockOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(manager);
        return manager.AcquireAsync(resource, [range], mode, options, cancellationToken);
    }

    /// <summary>Takes a lock on one range if that is possible without waiting; see <see cref="IRangeLockManager.TryAcquireAsync"/>.</summary>
    public static ValueTask<RangeLock?> TryAcquireAsync(this IRangeLockManager manager, LockResource resource, KeyRange range, LockMode mode,
        RangeLockOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(manager);
        return manager.TryAcquireAsync(resource, [range], mode, options, cancellationToken);
    }
}
