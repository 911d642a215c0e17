namespace DbSync.Locking;

/// <summary>
/// A lock that is held. Dispose it to give it back; disposing twice, or after it was lost, does nothing. A lock is good while
/// <see cref="LostToken"/> isn't cancelled; what protects the data when the process itself stood still is <see cref="FencingToken"/>,
/// checked by PostgreSQL in the writing transaction (<see cref="IFence"/>). All members may be called from several threads.
/// </summary>
public abstract class RangeLock : IAsyncDisposable
{
    private bool _disposed;

    /// <summary>What the ranges belong to.</summary>
    public abstract LockResource Resource { get; }

    /// <summary>The ranges held: sorted and merged, so there may be fewer than were asked for, covering the same keys.</summary>
    public abstract IReadOnlyList<KeyRange> Ranges { get; }

    /// <summary>The mode held now; <see cref="DowngradeAsync"/> and <see cref="TryUpgradeAsync"/> change it.</summary>
    public abstract LockMode Mode { get; }

    /// <summary>The token of the grant; a successful upgrade is a grant of its own and has a larger one.</summary>
    public abstract FencingToken FencingToken { get; }

    /// <summary>The owner on whose behalf it is held.</summary>
    public abstract LockOwner Owner { get; }

    /// <summary>
    /// Cancelled when the lock is lost: its lease ran out, the lock server forgot it, or an operator revoked it. While the process
    /// runs this happens before the server can grant the range to another. Giving the lock back doesn't cancel it.
    /// </summary>
    public abstract CancellationToken LostToken { get; }

    /// <summary>Turns an exclusive lock into a shared one and lets waiting readers in. Does nothing to a shared lock.</summary>
    /// <exception cref="RangeLockLostException">DBS6001: the lock is not held any more.</exception>
    public abstract ValueTask DowngradeAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Turns a shared lock into an exclusive one if nobody else holds an overlapping lock now. Never waits: two holders that waited
    /// to upgrade would wait for each other.
    /// </summary>
    /// <returns>False when somebody else holds an overlapping lock; the shared lock stays.</returns>
    /// <exception cref="RangeLockLostException">DBS6001: the lock is not held any more.</exception>
    public abstract ValueTask<bool> TryUpgradeAsync(CancellationToken cancellationToken = default);

    /// <summary>Throws when the lock is known to be lost. It proves nothing about the next moment; the fence does.</summary>
    /// <exception cref="RangeLockLostException">DBS6001: the lock is not held any more.</exception>
    public void ThrowIfLost()
    {
        if (LostToken.IsCancellationRequested) throw new RangeLockLostException(Resource);
    }

    /// <summary>True once it was disposed: given back, or lost before.</summary>
    public bool IsDisposed => Volatile.Read(ref _disposed);

    /// <summary>Gives the lock back. Never throws because of the lock server: the lease ends what can't be given back.</summary>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return Interlocked.Exchange(ref _disposed, true) ? ValueTask.CompletedTask : GiveBackAsync();
    }

    /// <summary>Tells the lock server, once.</summary>
    protected abstract ValueTask GiveBackAsync();
}
