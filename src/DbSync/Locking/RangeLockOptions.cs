namespace DbSync.Locking;

/// <summary>How one request waits. Immutable; share instances freely.</summary>
public sealed record RangeLockOptions
{
    /// <summary>The most ranges in one request.</summary>
    public const int RangesMax = 64;

    /// <summary>The longest wait that may be asked for: a day. A wait without an end is how a forgotten lock stops an application.</summary>
    public static readonly TimeSpan WaitTimeoutMax = TimeSpan.FromDays(1);

    /// <summary>The options used when none are given.</summary>
    public static RangeLockOptions Default { get; } = new();

    /// <summary>How long to wait for the lock before <see cref="RangeLockTimeoutException"/>. Default: 30 seconds.</summary>
    public TimeSpan WaitTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// On whose behalf the lock is taken, for finding deadlocks. Default (null): the asynchronous flow that calls, from the first lock it
    /// takes until it has given back the last. Give parallel branches that start under a lock owners of their own.
    /// </summary>
    public LockOwner? Owner { get; init; }

    internal void Validate()
    {
        if (WaitTimeout < TimeSpan.Zero || WaitTimeout > WaitTimeoutMax)
            throw new DbSyncException(ErrorCodes.InvalidOption,
                $"{nameof(RangeLockOptions)}.{nameof(WaitTimeout)} is {WaitTimeout}; it must lie between 0 and {WaitTimeoutMax}.",
                "Choose the longest wait your caller can bear.");
    }
}
