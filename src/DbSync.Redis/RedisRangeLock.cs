using DbSync.Locking;
using DbSync.Redis.Leases;

namespace DbSync.Redis;

internal sealed class RedisRangeLock(RedisRangeLockManager manager, LockRequest request) : RangeLock
{
    public override LockResource Resource => request.Lease.Resource;

    public override IReadOnlyList<KeyRange> Ranges => request.Ranges;

    public override LockMode Mode => request.Mode;

    public override FencingToken FencingToken => request.Token;

    public override LockOwner Owner => request.Owner;

    public override CancellationToken LostToken { get; } = request.Lost.Token;

    public override async ValueTask DowngradeAsync(CancellationToken cancellationToken = default)
    {
        if (Mode == LockMode.Shared && request.IsHeld) return;
        await manager.Convert(request, "downgrade", cancellationToken);
        request.Mode = LockMode.Shared;
    }

    public override async ValueTask<bool> TryUpgradeAsync(CancellationToken cancellationToken = default)
    {
        if (Mode == LockMode.Exclusive && request.IsHeld) return true;
        if (await manager.Convert(request, "upgrade", cancellationToken) is not { } sequence) return false;
        request.Renumber(sequence);
        request.Mode = LockMode.Exclusive;
        return true;
    }

    protected override async ValueTask GiveBackAsync() => await manager.GiveBack(request);
}
