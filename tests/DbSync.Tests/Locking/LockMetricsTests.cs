using DbSync.Locking;
using DbSync.Testing.Contracts;

namespace DbSync.Tests.Locking;

[Collection(nameof(LockMetricsTests))]
[CollectionDefinition(nameof(LockMetricsTests), DisableParallelization = true)]
public sealed class LockMetricsTests : LockMetricsContract
{
    protected override ValueTask<IRangeLockManager> NewManager() => ValueTask.FromResult<IRangeLockManager>(new InMemoryRangeLockManager());
}
