namespace DbSync.Locking;

/// <summary>DBS6001: the lock isn't held any more, or PostgreSQL knows a newer holder. Nothing of the guarded transaction was written.</summary>
public sealed class RangeLockLostException : DbSyncException
{
    /// <summary>Creates the failure.</summary>
    public RangeLockLostException(LockResource resource, Exception? innerException = null)
        : base(ErrorCodes.LockLost, $"A lock on '{resource}' was lost; a newer holder may have it.",
            "Roll back, take the lock again, read again, and repeat the work.", innerException) => Resource = resource;

    /// <summary>What the lost ranges belong to.</summary>
    public LockResource Resource { get; }
}

/// <summary>DBS6002: the wait for a lock ended without it. Nothing is held and nothing waits any more.</summary>
public sealed class RangeLockTimeoutException : DbSyncException
{
    /// <summary>Creates the failure.</summary>
    public RangeLockTimeoutException(LockResource resource, TimeSpan waited)
        : base(ErrorCodes.LockWaitTimeout, $"No lock on '{resource}' within {waited.TotalMilliseconds:0} ms.",
            "See who holds it with `dbsync locks list`; lock narrower ranges, hold them for less time, or wait longer.") =>
        (Resource, Waited) = (resource, waited);

    /// <summary>What the ranges belong to.</summary>
    public LockResource Resource { get; }

    /// <summary>The wait that was allowed.</summary>
    public TimeSpan Waited { get; }
}

/// <summary>DBS6003: this wait closed a circle of owners that wait for each other; it is the one that gives way.</summary>
public sealed class RangeLockDeadlockException : DbSyncException
{
    /// <summary>Creates the failure.</summary>
    public RangeLockDeadlockException(LockResource resource)
        : base(ErrorCodes.LockDeadlock, $"Waiting for a lock on '{resource}' would never end: its holders wait for this owner.",
            "Give back what you hold and repeat, or ask for all ranges of an operation in one request.") => Resource = resource;

    /// <summary>What the ranges belong to.</summary>
    public LockResource Resource { get; }
}
