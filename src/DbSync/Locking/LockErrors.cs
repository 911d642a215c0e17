namespace DbSync.Locking;

/// <summary>The failures that more than one backend reports, worded once.</summary>
internal static class LockErrors
{
    public static DbSyncException TooManyWaiters(LockResource resource, int waitersMax) => new(ErrorCodes.LockQueueFull,
        $"{waitersMax} requests already wait for locks on '{resource}'.",
        "Lock narrower ranges, split the resource, or raise WaitersMax.");

    public static DbSyncException EpochsUsedUp(LockResource resource) => new(ErrorCodes.LockEpochsUsedUp,
        $"'{resource}' has reached its last epoch ({FencingToken.EpochMax}); its tokens can't grow any more.",
        "Something raises the epoch all the time: find it, then move the locks to a resource with another name.");

    public static DbSyncException UnknownEntry() => new(ErrorCodes.LockEntryGone,
        "That lock is neither held nor waited for any more.", "List the locks again.");
}
