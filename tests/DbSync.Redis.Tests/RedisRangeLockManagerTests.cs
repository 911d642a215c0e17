using DbSync.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

/// <summary>The contract, on a real server.</summary>
[Trait("Needs", "Server")]
public sealed class RedisRangeLockManagerTests(RedisFixture redis) : RangeLockManagerContract
{
    private readonly string _prefix = RedisFixture.NewPrefix();
    private readonly InMemoryEpochStore _epochs = new();

    protected override int OracleRuns => 300;

    protected override async ValueTask<IRangeLockManager> NewManager()
    {
        var server = await redis.GetServerAsync();
        return new RedisRangeLockManager(await ConnectionMultiplexer.ConnectAsync(server.ConnectionString), _epochs,
            new RedisRangeLockOptions
            {
                Prefix = _prefix,
                PollInterval = TimeSpan.FromMilliseconds(200),
                DeadlockCheckAfter = TimeSpan.FromMilliseconds(200),
            });
    }
}
