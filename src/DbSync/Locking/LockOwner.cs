using System.Security.Cryptography;

namespace DbSync.Locking;

/// <summary>
/// Who waits for whom: locks taken by one owner one after the other are looked at together when a deadlock is searched. Two owners
/// that wait for each other's locks are a deadlock, and the younger wait gets <see cref="RangeLockDeadlockException"/>.
/// </summary>
public sealed class LockOwner
{
    private static readonly AsyncLocal<LockOwner?> Flow = new();

    private int _locks;

    private LockOwner() => Id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    /// <summary>A random name, unique over all processes, shown by <c>dbsync locks list</c>.</summary>
    public string Id { get; }

    /// <summary>An owner that nothing has used yet.</summary>
    public static LockOwner New() => new();

    /// <inheritdoc />
    public override string ToString() => Id;

    /// <summary>
    /// The owner of the calling flow. Must run before the first await of a public method: what a synchronous method puts into an
    /// AsyncLocal stays with its caller, what an async method puts there doesn't. An owner that holds nothing any more is replaced,
    /// so that flows started later don't inherit it.
    /// </summary>
    internal static LockOwner OfThisFlow()
    {
        if (Flow.Value is { } owner && Volatile.Read(ref owner._locks) > 0) return owner;
        return Flow.Value = new LockOwner();
    }

    /// <summary>Counts a request from before it is sent until its lock is given back.</summary>
    internal void Enter() => Interlocked.Increment(ref _locks);

    internal void Leave() => Interlocked.Decrement(ref _locks);
}
