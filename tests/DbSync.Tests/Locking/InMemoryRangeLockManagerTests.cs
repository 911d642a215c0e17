using DbSync.Locking;
using DbSync.Testing.Contracts;

namespace DbSync.Tests.Locking;

public sealed class InMemoryRangeLockManagerTests : RangeLockManagerContract
{
    protected override int OracleRuns => 600;

    protected override ValueTask<IRangeLockManager> NewManager() => ValueTask.FromResult<IRangeLockManager>(new InMemoryRangeLockManager());

    [Fact]
    public async Task A_full_queue_refuses_instead_of_growing()
    {
        await using var manager = new InMemoryRangeLockManager(waitersMax: 1);
        await using var held = await manager.AcquireAsync(Table, KeyRange.All, X, LockTesting.Someone());
        var waiting = manager.AcquireAsync(Table, KeyRange.All, X, LockTesting.Someone()).AsTask();
        var full = await Should.ThrowAsync<DbSyncException>(
            async () => await manager.AcquireAsync(Table, KeyRange.All, X, LockTesting.Someone()));
        full.Code.ShouldBe("DBS6009");
        await held.DisposeAsync();
        await (await waiting).DisposeAsync();
    }
}
