using DbSync.Locking;
using DbSync.Testing;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

/// <summary>A real Sentinel that promotes a replica which has missed grants.</summary>
[Trait("Needs", "Server")]
public sealed class SentinelTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tokens_never_go_back_when_a_stale_replica_is_promoted()
    {
        await using var sentinel = await RedisSentinel.StartAsync(Ct);
        var epochs = new InMemoryEpochStore();
        await using var one = await ConnectionMultiplexer.ConnectAsync(sentinel.ConnectionString);
        await using var two = await ConnectionMultiplexer.ConnectAsync(sentinel.ConnectionString);
        var options = new RedisRangeLockOptions { LeaseDuration = TimeSpan.FromSeconds(1), PollInterval = TimeSpan.FromMilliseconds(100) };
        await using var first = new RedisRangeLockManager(one, epochs, options);
        await using var second = new RedisRangeLockManager(two, epochs, options);
        TokenLedger? ledger = null;
        ledger = await TokenLedger.UnderContention([first, second], "seats", 1, async () =>
        {
            // The replica misses what is granted from now on: the primary is gone before it hears of it.
            sentinel.Replica.Pause();
            await using (await first.AcquireAsync("seats", KeyRange.Single(9), LockMode.Exclusive, cancellationToken: Ct))
            {
            }

            await sentinel.Primary.KillAsync(Ct);
            sentinel.Replica.Resume();
            await sentinel.UntilSwitchedAsync(Ct);
        }, Ct);
        ledger.Largest.Epoch.ShouldBeGreaterThan(1);
    }
}
