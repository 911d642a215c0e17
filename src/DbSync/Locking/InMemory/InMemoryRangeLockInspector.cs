using System.Runtime.CompilerServices;

namespace DbSync.Locking.InMemory;

internal sealed class InMemoryRangeLockInspector(InMemoryRangeLockManager manager) : IRangeLockInspector
{
    private const string Client = "process";

    public ValueTask<IReadOnlyList<LockResource>> ListResourcesAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<LockResource>>(manager.Resources());

    public ValueTask<LockSnapshot> SnapshotAsync(LockResource resource, CancellationToken cancellationToken)
    {
        var now = manager.Time.GetUtcNow();
        return ValueTask.FromResult(manager.Read(resource, queue => queue is null
            ? new LockSnapshot(resource, 0, now, [], Truncated: false)
            : new LockSnapshot(resource, queue.Epoch, now,
                [.. queue.Held.Concat(queue.Waiting).Take(IRangeLockInspector.EntriesMax).Select(Entry)],
                queue.Held.Count + queue.Waiting.Count > IRangeLockInspector.EntriesMax)));
    }

    public async IAsyncEnumerable<LockSnapshot> WatchAsync(LockResource resource, TimeSpan interval,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(interval, manager.Time);
        do
        {
            yield return await SnapshotAsync(resource, cancellationToken);
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    public ValueTask ReleaseAsync(LockResource resource, LockEntryId entry, CancellationToken cancellationToken) =>
        entry.Client == Client ? manager.Revoke(resource, entry.Request) : throw LockErrors.UnknownEntry();

    public ValueTask<long> ResetAsync(LockResource resource, CancellationToken cancellationToken) => manager.Reset(resource, cancellationToken);

    private LockEntry Entry(LockRequest request) => new(new LockEntryId(Client, request.Id), request.Owner.Id, request.Mode, request.Ranges,
        request.Token, manager.Time.GetElapsedTime(request.Since), LeaseLeft: null,
        request.Token is null ? [.. request.Queue.Blockers(request).Select(blocker => new LockEntryId(Client, blocker.Id))] : []);
}
