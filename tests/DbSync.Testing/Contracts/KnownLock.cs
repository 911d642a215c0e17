using DbSync.Locking;

namespace DbSync.Testing.Contracts;

/// <summary>A lock that says what it is told to: a holder that is stale, forged or paused, without arranging one.</summary>
public sealed class KnownLock(LockResource resource, LockMode mode, long epoch, long sequence, params KeyRange[] ranges) : RangeLock
{
    public override LockResource Resource => resource;

    public override IReadOnlyList<KeyRange> Ranges => ranges;

    public override LockMode Mode => mode;

    public override FencingToken FencingToken { get; } = new(epoch, sequence);

    public override LockOwner Owner { get; } = LockOwner.New();

    public override CancellationToken LostToken => CancellationToken.None;

    public override ValueTask DowngradeAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public override ValueTask<bool> TryUpgradeAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    protected override ValueTask GiveBackAsync() => ValueTask.CompletedTask;
}
