namespace DbSync.Locking.InMemory;

internal sealed class InMemoryRangeLock(InMemoryRangeLockManager manager, LockRequest request) : RangeLock
{
    public override LockResource Resource => request.Queue.Resource;

    public override IReadOnlyList<KeyRange> Ranges => request.Ranges;

    public override LockMode Mode => manager.Read(request, r => r.Mode);

    public override FencingToken FencingToken => manager.Read(request, r => r.Token!.Value);

    public override LockOwner Owner => request.Owner;

    public override CancellationToken LostToken { get; } = request.Lost.Token;

    public override ValueTask DowngradeAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        manager.Downgrade(request);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<bool> TryUpgradeAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(manager.TryUpgrade(request));
    }

    protected override ValueTask GiveBackAsync()
    {
        manager.GiveBack(request);
        return ValueTask.CompletedTask;
    }
}
