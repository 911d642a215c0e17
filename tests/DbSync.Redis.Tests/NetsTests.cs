using DbSync.Locking;
using DbSync.Redis.Wire;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

/// <summary>The nets under the fast paths, each with nothing else to hold it: no messages, several processes' managers, a server that is misconfigured while in use.</summary>
[Trait("Needs", "Server")]
public sealed class NetsTests : IAsyncLifetime
{
    private const LockMode X = LockMode.Exclusive;

    private static readonly LockResource Seats = "seats";
    private static readonly KeyRange One = KeyRange.Single(1);
    private static readonly KeyRange Two = KeyRange.Single(2);

    private readonly InMemoryEpochStore _epochs = new();
    private readonly List<IAsyncDisposable> _owned = [];
    private RedisServer _server = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static RedisRangeLockOptions Quick { get; } = new()
    {
        LeaseDuration = TimeSpan.FromSeconds(1),
        PollInterval = TimeSpan.FromMilliseconds(100),
        DeadlockCheckAfter = TimeSpan.FromMilliseconds(200),
    };

    public async ValueTask InitializeAsync() => _server = await RedisServer.StartAsync(cancellationToken: Ct);

    public async ValueTask DisposeAsync()
    {
        foreach (var owned in _owned.AsEnumerable().Reverse()) await owned.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Without_any_message_the_poll_hands_over_and_tells_of_revocations()
    {
        const string Publish = "call('PUBLISH', ";
        LockLibrary.Code.Split(Publish).Length.ShouldBe(2);
        var mute = LockLibrary.Code.Replace(Publish, "type(", StringComparison.Ordinal);
        var (one, other) = (await Manager(code: mute), await Manager(code: mute));
        var held = await one.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        var waiting = other.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct).AsTask();
        await LockTesting.UntilWaiting(one, Seats, 1);
        await held.DisposeAsync();
        var next = await waiting;
        await one.Inspector.ReleaseAsync(Seats, (await one.Inspector.SnapshotAsync(Seats, Ct)).Entries[0].Id, Ct);
        await LockTesting.Lost(next);
        next = await other.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        await one.Inspector.ResetAsync(Seats, Ct);
        await LockTesting.Lost(next);
    }

    [Fact]
    public async Task Of_two_processes_that_wait_for_each_other_exactly_one_gives_way()
    {
        var patient = Quick with { LeaseDuration = TimeSpan.FromSeconds(30) }; // a lease lost on a busy test machine would end the circle, too
        var (mine, yours) = (await Manager(patient), await Manager(patient));
        var (me, you) = (LockTesting.Someone(), LockTesting.Someone());
        for (var i = 0; i < 5; i++)
        {
            var a = await mine.AcquireAsync(Seats, One, X, me, Ct);
            var b = await yours.AcquireAsync(Seats, Two, X, you, Ct);
            var first = mine.AcquireAsync(Seats, Two, X, me, Ct).AsTask();
            var second = yours.AcquireAsync(Seats, One, X, you, Ct).AsTask();
            var (loser, winner, heldByLoser) = await Task.WhenAny(first, second) == first ? (first, second, a) : (second, first, b);
            (await Should.ThrowAsync<RangeLockDeadlockException>(() => loser)).Code.ShouldBe("DBS6003");
            await heldByLoser.DisposeAsync();
            await (await winner).DisposeAsync();
            await (heldByLoser == a ? b : a).DisposeAsync();
        }
    }

    [Fact]
    public async Task Repeated_conversions_give_the_same_answer()
    {
        var locks = await Manager();
        await using var held = await locks.AcquireAsync(Seats, One, LockMode.Shared, LockTesting.Someone(), Ct);
        var id = (await locks.Inspector.SnapshotAsync(Seats, Ct)).Entries[0].Id;
        var upgraded = await Convert("upgrade");
        upgraded.ShouldBeGreaterThan(held.FencingToken.Sequence);
        (await Convert("upgrade")).ShouldBe(upgraded, "as when the first answer was lost");
        (await Convert("downgrade")).ShouldBe(upgraded);
        (await Convert("downgrade")).ShouldBe(upgraded);

        async Task<long> Convert(string function)
        {
            var reply = await _server.ExecuteAsync("FCALL", $"dbsync_lock1_{function}", 1, $"{Quick.Prefix}:{{seats}}", held.FencingToken.Epoch, id.Client, id.Request);
            reply[0].ToString().ShouldBe("G");
            return (long)reply[1];
        }
    }

    [Fact]
    public async Task A_full_queue_refuses_instead_of_growing()
    {
        var locks = await Manager(Quick with { WaitersMax = 2 });
        var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        Task<RangeLock>[] waiting = [.. Enumerable.Range(0, 2).Select(_ => locks.AcquireAsync(Seats, One, LockMode.Shared, LockTesting.Someone(), Ct).AsTask())];
        await LockTesting.UntilWaiting(locks, Seats, 2);
        (await Should.ThrowAsync<DbSyncException>(async () => await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct))).Code.ShouldBe("DBS6009");
        await held.DisposeAsync();
        foreach (var next in waiting) await (await next).DisposeAsync();
    }

    [Theory]
    [InlineData(":l")]
    [InlineData(":s:{lease}")]
    [InlineData(":x")]
    public async Task A_server_that_begins_to_evict_is_refused_and_afterwards_nothing_stays_locked(string evicted)
    {
        var locks = await Manager();
        var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        var lease = (await locks.Inspector.SnapshotAsync(Seats, Ct)).Entries[0].Id.Client;
        await Configure("maxmemory-policy", "allkeys-lru");
        await Configure("maxmemory", "1gb");
        await LockTesting.Lost(held);
        (await Should.ThrowAsync<DbSyncException>(async () => await locks.TryAcquireAsync(Seats, One, X, LockTesting.Someone(), Ct))).Code.ShouldBe("DBS6006");
        await _server.ExecuteAsync("DEL", $"{Quick.Prefix}:{{seats}}:{held.FencingToken.Epoch}{evicted.Replace("{lease}", lease, StringComparison.Ordinal)}"); // what an eviction may take
        await Configure("maxmemory-policy", "noeviction");
        await using var next = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone() with { WaitTimeout = TimeSpan.FromSeconds(10) }, Ct);
        next.FencingToken.Epoch.ShouldBeGreaterThan(held.FencingToken.Epoch);

        Task Configure(string setting, string value) => _server.ExecuteAsync("CONFIG", "SET", setting, value);
    }

    private async Task<RedisRangeLockManager> Manager(RedisRangeLockOptions? options = null, string? code = null)
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(_server.ConnectionString);
        var locks = new RedisRangeLockManager(connection, _epochs, options ?? Quick, time: null, logger: null, code ?? LockLibrary.Code);
        _owned.Add(connection);
        _owned.Add(locks);
        return locks;
    }
}
