using DbSync.Locking;

namespace DbSync.Testing.Contracts;

/// <summary>The few words that lock tests share. Nothing here sleeps a fixed time: it looks until a condition holds, up to a limit.</summary>
public static class LockTesting
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static readonly RangeLockOptions Patient = new() { WaitTimeout = Patience };

    /// <summary>Options with an owner of its own, so that a test's locks don't look like one flow's.</summary>
    public static RangeLockOptions Someone() => Patient with { Owner = LockOwner.New() };

    public static Task Until(Func<ValueTask<bool>> condition, string what) =>
        Eventually.Async(async _ => await condition(), Patience, () => $"never happened: {what}");

    public static Task UntilWaiting(IRangeLockManager manager, LockResource resource, int waiters) => Until(
        async () => (await manager.Inspector.SnapshotAsync(resource, CancellationToken.None)).Entries.Count(e => !e.IsHeld) == waiters,
        $"{waiters} waiters");

    public static Task Lost(RangeLock held) =>
        Until(() => ValueTask.FromResult(held.LostToken.IsCancellationRequested), "the lock's loss");
}
