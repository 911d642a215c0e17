using System.Data.Common;
using DbSync.Locking;

namespace DbSync.EntityFrameworkCore.Tests.Locking;

/// <summary>The real fence, how often transactions asked it, and something that happens between the first time and the second.</summary>
internal sealed class CountingFence(IFence fence) : IFence
{
    public int Guarded { get; private set; }

    public Func<Task>? BeforeTheSecond { get; set; }

    public ValueTask RegisterAsync(RangeLock rangeLock, CancellationToken cancellationToken) => fence.RegisterAsync(rangeLock, cancellationToken);

    public ValueTask RegisterAsync(DbConnection connection, RangeLock rangeLock, CancellationToken cancellationToken) =>
        fence.RegisterAsync(connection, rangeLock, cancellationToken);

    public async ValueTask GuardAsync(DbTransaction transaction, RangeLock rangeLock, CancellationToken cancellationToken)
    {
        if (++Guarded == 2 && BeforeTheSecond is { } happens) await happens();
        await fence.GuardAsync(transaction, rangeLock, cancellationToken);
    }
}
