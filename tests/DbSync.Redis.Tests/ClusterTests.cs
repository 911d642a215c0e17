using DbSync.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

/// <summary>A real cluster. A resource lives on one node, wherever that is; tokens never go back when it moves.</summary>
[Trait("Needs", "Server")]
public sealed class ClusterTests : IAsyncLifetime
{
    private readonly InMemoryEpochStore _epochs = new();
    private readonly List<IAsyncDisposable> _owned = [];
    private RedisCluster _cluster = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _cluster = await RedisCluster.StartAsync(Ct);

    public async ValueTask DisposeAsync()
    {
        foreach (var owned in _owned.AsEnumerable().Reverse()) await owned.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task Resources_are_spread_over_the_nodes_and_survive_moves_failovers_and_flushes()
    {
        IRangeLockManager[] managers = [await Manager(), await Manager()];
        var names = new Dictionary<RedisServer, LockResource>();
        for (var i = 0; names.Count < 3; i++) names.TryAdd((await _cluster.OwnerOfAsync(Key($"table-{i}"))).Owner, $"table-{i}");
        foreach (var name in names.Values)
        {
            await using var held = await managers[0].AcquireAsync(name, KeyRange.HalfOpen(0, 10), LockMode.Exclusive, LockTesting.Someone(), Ct);
            (await managers[1].TryAcquireAsync(name, KeyRange.Single(5), LockMode.Shared, LockTesting.Someone(), Ct)).ShouldBeNull();
            var waiting = managers[1].AcquireAsync(name, KeyRange.Single(5), LockMode.Shared, LockTesting.Someone(), Ct).AsTask();
            await LockTesting.UntilWaiting(managers[0], name, 1);
            await held.DisposeAsync();
            await (await waiting).DisposeAsync();
        }

        (await managers[0].Inspector.ListResourcesAsync(Ct)).Count.ShouldBe(3);
        var (first, second) = (_cluster.Primaries[0], _cluster.Primaries[1]);
        var (_, slot) = await _cluster.OwnerOfAsync(Key(names[second].Name));
        await TokenLedger.UnderContention(managers, names[second], 1, () => _cluster.MoveAsync(slot, second, first), Ct);
        await TokenLedger.UnderContention(managers, names[first], 1, async () => await _cluster.Replica.ExecuteAsync("CLUSTER", "FAILOVER"), Ct);
        await TokenLedger.UnderContention(managers, names[_cluster.Primaries[2]], 1, () => _cluster.Primaries[2].FlushAsync(), Ct);
        await TokenLedger.UnderContention(managers, names[_cluster.Primaries[2]], 1, async () =>
        {
            await _cluster.Primaries[2].KillAsync(Ct);
            await _cluster.Primaries[2].StartAgainAsync(Ct);
        }, Ct);
    }

    private static string Key(string resource) => $"dbsync:lock:{{{resource}}}";

    private async Task<RedisRangeLockManager> Manager()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(_cluster.ConnectionString);
        var locks = new RedisRangeLockManager(connection, _epochs,
            new RedisRangeLockOptions { LeaseDuration = TimeSpan.FromSeconds(1), PollInterval = TimeSpan.FromMilliseconds(100) });
        _owned.Add(connection);
        _owned.Add(locks);
        return locks;
    }
}
