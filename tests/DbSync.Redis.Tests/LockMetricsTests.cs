using DbSync.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

[Trait("Needs", "Server")]
[Collection(nameof(LockMetricsTests))]
[CollectionDefinition(nameof(LockMetricsTests), DisableParallelization = true)]
public sealed class LockMetricsTests(RedisFixture redis) : LockMetricsContract
{
    protected override async ValueTask<IRangeLockManager> NewManager()
    {
        var server = await redis.GetServerAsync();
        return new RedisRangeLockManager(await ConnectionMultiplexer.ConnectAsync(server.ConnectionString), new InMemoryEpochStore(),
            new RedisRangeLockOptions
            {
                Prefix = RedisFixture.NewPrefix(), PollInterval = TimeSpan.FromMilliseconds(50), DeadlockCheckAfter = TimeSpan.FromMilliseconds(50),
            });
    }
}
