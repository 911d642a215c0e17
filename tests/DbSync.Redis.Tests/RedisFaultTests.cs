using DbSync.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

/// <summary>T35: whatever happens to the server, tokens never go back, holders are told, and work goes on by itself.</summary>
[Trait("Needs", "Server")]
public sealed class RedisFaultTests : IAsyncLifetime
{
    private const LockMode X = LockMode.Exclusive;

    private static readonly LockResource Seats = "seats";
    private static readonly KeyRange One = KeyRange.Single(1);

    private readonly InMemoryEpochStore _epochs = new();
    private readonly List<IAsyncDisposable> _owned = [];
    private RedisServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await RedisServer.StartAsync(cancellationToken: Ct);

    public async ValueTask DisposeAsync()
    {
        foreach (var owned in _owned.AsEnumerable().Reverse()) await owned.DisposeAsync();
        await _server.DisposeAsync();
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static RedisRangeLockOptions Quick { get; } = new()
    {
        LeaseDuration = TimeSpan.FromSeconds(1),
        PollInterval = TimeSpan.FromMilliseconds(100),
        DeadlockCheckAfter = TimeSpan.FromMilliseconds(200),
    };

    public static TheoryData<string> Commands => ["FLUSHALL", "FUNCTION FLUSH", "SCRIPT FLUSH", "CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE normal", "CLIENT PAUSE 300"];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Eight_contenders_get_over_a_command(string command)
    {
        await using var admin = await ConnectionMultiplexer.ConnectAsync(_server.ConnectionString);
        await UnderContention(3, async () =>
        {
            var words = command.Split(' ');
            await admin.GetDatabase().ExecuteAsync(words[0], words[1..]);
        });
    }

    [Fact]
    public async Task Eight_contenders_get_over_a_restart_that_empties_the_server()
    {
        var ledger = await UnderContention(2, () => _server.RestartAsync(Ct));
        ledger.Largest.Epoch.ShouldBeInRange(3, 5, "one epoch to begin with and one for each restart, or little more when clients race");
    }

    [Fact]
    public async Task Eight_contenders_get_over_a_server_that_is_killed_and_one_that_stands_still()
    {
        await UnderContention(1, async () =>
        {
            await _server.KillAsync(Ct);
            await _server.StartAgainAsync(Ct);
        });
        await UnderContention(1, async () =>
        {
            await using var held = await (await Manager()).AcquireAsync(new LockResource("other seats"), One, X, LockTesting.Someone(), Ct);
            _server.Pause();
            await Eventually.Async(() => held.LostToken.IsCancellationRequested, cancellationToken: Ct); // for longer than a lease
            _server.Resume();
        });
    }

    [Fact]
    public async Task A_flushed_server_costs_its_holders_their_locks_and_they_are_told()
    {
        var locks = await Manager();
        var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        await _server.FlushAsync();
        await LockTesting.Lost(held);
        await using var next = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        next.FencingToken.Epoch.ShouldBe(held.FencingToken.Epoch + 1);
        await held.DisposeAsync();
        (await locks.TryAcquireAsync(Seats, One, X, LockTesting.Someone(), Ct)).ShouldBeNull("giving back the lost lock must not touch the new one");
    }

    [Fact]
    public async Task A_holder_that_is_cut_off_loses_its_lock_before_the_next_one_gets_it()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(_server.ConnectionString);
        var patient = Quick with { LeaseDuration = TimeSpan.FromSeconds(3), LeaseMargin = TimeSpan.FromMilliseconds(900) }; // a busy test machine may wake the keeper late
        var cutOff = new RedisRangeLockManager(connection, _epochs, patient);
        _owned.Add(cutOff);
        var held = await cutOff.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        var waiting = (await Manager()).AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct).AsTask();
        await connection.DisposeAsync();
        await using var next = await waiting;
        held.LostToken.IsCancellationRequested.ShouldBeTrue("it must know before anybody else gets the range");
        next.FencingToken.ShouldBeGreaterThan(held.FencingToken);
    }

    /// <summary>Applications dispose in any order; the driver notices its own end late, so it takes some tries to meet it in the middle.</summary>
    [Fact]
    public async Task A_manager_whose_connection_is_gone_already_is_disposed_without_a_word()
    {
        for (var tries = 0; tries < 50; tries++)
        {
            var connection = await ConnectionMultiplexer.ConnectAsync(_server.ConnectionString);
            var manager = new RedisRangeLockManager(connection, _epochs, Quick);
            await manager.AcquireAsync(Seats, KeyRange.Single(tries), X, LockTesting.Someone(), Ct);
            var closing = connection.DisposeAsync();
            await manager.DisposeAsync();
            await closing;
            await manager.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_promoted_replica_that_missed_grants_begins_a_new_epoch_and_so_does_the_old_primary_after_it()
    {
        await using var replica = await RedisServer.StartAsync(cancellationToken: Ct);
        var onPrimary = await Manager();
        await Command(replica, "REPLICAOF", "127.0.0.1", _server.Port);
        await Eventually.Async(async _ => ((string?)await Command(replica, "INFO", "replication"))!.Contains("master_link_status:up", StringComparison.Ordinal),
            cancellationToken: Ct);

        var before = await Grant(onPrimary); // after the replica came: a first replica gives its primary a new replication id
        await Command(replica, "REPLICAOF", "NO", "ONE");
        var unseen = await Grant(onPrimary); // granted by the old primary after the split
        var promoted = await Grant(await Manager(replica));
        promoted.ShouldBeGreaterThan(unseen);
        promoted.Epoch.ShouldBe(before.Epoch + 1);

        // Back again without a restart: the run id is the same, only the replication id tells (locks-and-sharding.md 1.5).
        await Command(_server, "REPLICAOF", "127.0.0.1", replica.Port);
        await Eventually.Async(async _ => ((string?)await Command(_server, "INFO", "replication"))!.Contains("master_link_status:up", StringComparison.Ordinal),
            cancellationToken: Ct);
        var unseenAgain = await Grant(await Manager(replica));
        await Command(_server, "REPLICAOF", "NO", "ONE");
        (await Grant(await Manager())).ShouldBeGreaterThan(unseenAgain);
    }

    [Fact]
    public async Task A_lost_wake_up_message_only_delays()
    {
        var locks = await Manager();
        var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        var waiting = (await Manager()).AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct).AsTask();
        await LockTesting.UntilWaiting(locks, Seats, 1);
        await Command(_server, "CLIENT", "KILL", "TYPE", "pubsub");
        await held.DisposeAsync();
        await (await waiting.WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System, Ct)).DisposeAsync();
    }

    [Fact]
    public async Task An_orphaned_request_is_given_back_by_reconciling()
    {
        var locks = await Manager();
        await using var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        var lease = (await locks.Inspector.SnapshotAsync(Seats, Ct)).Entries[0].Id.Client;
        // What arrives after its own withdrawal, when a connection breaks in between.
        (await Step(held.FencingToken.Epoch, lease, 4711, "owner", "x", 0, "A"u8.ToArray(), "B"u8.ToArray()))[0].ToString().ShouldBe("G");
        (await locks.Inspector.SnapshotAsync(Seats, Ct)).Entries.Count.ShouldBe(2);
        await Eventually.Async(async _ => (await locks.Inspector.SnapshotAsync(Seats, Ct)).Entries.Count == 1, cancellationToken: Ct);
        held.LostToken.IsCancellationRequested.ShouldBeFalse();
    }

    [Fact]
    public async Task Damaged_state_is_noticed_and_begins_a_new_epoch()
    {
        var locks = await Manager();
        var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        await Command(_server, "DEL", $"{Quick.Prefix}:{{seats}}:{held.FencingToken.Epoch}:x"); // as eviction would
        await LockTesting.Lost(held);
        await using var next = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        next.FencingToken.Epoch.ShouldBe(held.FencingToken.Epoch + 1);
    }

    [Fact]
    public async Task A_renewal_never_brings_back_what_is_over_and_repeated_calls_change_nothing()
    {
        await using var held = await (await Manager()).AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        var epoch = held.FencingToken.Epoch;
        (await Call("open", epoch, "dead-1", 1))[0].ToString().ShouldBe("O");
        await Eventually.Async(async _ => (await Call("renew", epoch, "dead-1", 60_000))[0].ToString() == "S", cancellationToken: Ct);
        (await Call("renew", epoch, "dead-1", 60_000))[0].ToString().ShouldBe("S");
        (await Step(epoch, "dead-1", 1, "o", "x", 1, "A"u8.ToArray(), "B"u8.ToArray()))[0].ToString().ShouldBe("S");

        await Call("open", epoch, "live-1", 60_000);
        RedisValue[] first = [1, "o", "x", 1, "A"u8.ToArray(), "B"u8.ToArray()];
        var granted = await Step(epoch, "live-1", first);
        (await Step(epoch, "live-1", first)).ToString().ShouldBe(granted.ToString());
        RedisValue[] second = [2, "p", "x", 1, "A"u8.ToArray(), "B"u8.ToArray()];
        ((int)(await Step(epoch, "live-1", second))[2]).ShouldBe(1);
        ((int)(await Step(epoch, "live-1", second))[2]).ShouldBe(1, "a repeated request doesn't wait for itself");
        (await Step(epoch, "live-1", 1))[0].ToString().ShouldBe("R");
        (await Step(epoch, "live-1", 1))[0].ToString().ShouldBe("N");
        var handedOver = await Step(epoch, "live-1", second);
        handedOver[0].ToString().ShouldBe("G");
        ((long)handedOver[1]).ShouldBe((long)granted[1] + 1);
    }

    /// <summary>Its owner has lost it and asks again under a new lease, behind those who wait for the old one to be cleared away.</summary>
    [Fact]
    public async Task What_a_lease_that_is_over_had_is_no_part_of_a_deadlock()
    {
        var locks = await Manager();
        long epoch;
        await using (var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct)) epoch = held.FencingToken.Epoch;
        await locks.DisposeAsync(); // its renewals would clear the lease away
        foreach (var lease in new[] { "old-1", "new-1" }) (await Call("open", epoch, lease, 60_000))[0].ToString().ShouldBe("O");
        (await Step(epoch, "old-1", 1, "o", "x", 1, "A"u8.ToArray(), "B"u8.ToArray()))[0].ToString().ShouldBe("G");
        (await Step(epoch, "new-1", 1, "p", "x", 1, "A"u8.ToArray(), "B"u8.ToArray()))[0].ToString().ShouldBe("W");
        (await Step(epoch, "new-1", 2, "o", "x", 1, "A"u8.ToArray(), "B"u8.ToArray()))[0].ToString().ShouldBe("W");
        (await BlockersAsync()).ShouldBe(["p behind o old-1/1", "o behind o old-1/1", "o behind p new-1/1"], ignoreOrder: true);

        await Command(_server, "ZADD", $"{Quick.Prefix}:{{seats}}:{epoch}:l", "XX", 0, "old-1");
        (await BlockersAsync()).ShouldBe(["o behind p new-1/1"]);

        async Task<IReadOnlyList<string>> BlockersAsync()
        {
            var waits = await Call("waits", "o", "p");
            return [.. Enumerable.Range(1, waits.Length - 1).SelectMany(i => Enumerable.Range(0, waits[i][3].Length / 2).Select(b => $"{waits[i][0]} behind {waits[i][3][2 * b]} {waits[i][3][(2 * b) + 1]}"))];
        }
    }

    [Fact]
    public async Task A_server_that_may_evict_is_refused()
    {
        await using var evicting = await RedisServer.StartAsync(new RedisServerOptions { MaxMemoryMb = 64, MaxMemoryPolicy = "allkeys-lru" }, Ct);
        var locks = await Manager(evicting);
        (await Should.ThrowAsync<DbSyncException>(async () => await locks.TryAcquireAsync(Seats, One, X, cancellationToken: Ct))).Code.ShouldBe("DBS6006");
    }

    [Fact]
    public async Task A_server_without_memory_refuses_what_is_new_says_why_and_takes_back_what_is_held()
    {
        var (locks, others) = (await Manager(), await Manager());
        var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        await _server.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
        var wait = LockTesting.Someone() with { WaitTimeout = TimeSpan.FromSeconds(1) };
        var refused = await Should.ThrowAsync<DbSyncException>(async () => await others.AcquireAsync(Seats, One, X, wait, Ct));
        refused.Code.ShouldBe("DBS6005");
        refused.Message.ShouldContain("The lock server can't serve now (OOM).");
        held.LostToken.IsCancellationRequested.ShouldBeFalse();
        await held.DisposeAsync();
        await _server.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        await using var next = await others.TryAcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        next.ShouldNotBeNull("it was given back while nothing new was taken");
    }

    [Fact]
    public async Task A_server_that_is_away_is_named_within_the_time_that_was_given()
    {
        var locks = await Manager();
        await _server.StopAsync(Ct);
        var wait = LockTesting.Someone() with { WaitTimeout = TimeSpan.FromSeconds(1) };
        (await Should.ThrowAsync<DbSyncException>(async () => await locks.AcquireAsync(Seats, One, X, wait, Ct))).Code.ShouldBe("DBS6005");
        await _server.StartAgainAsync(Ct);
        await using var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
    }

    private async Task<TokenLedger> UnderContention(int times, Func<Task> fault) =>
        await TokenLedger.UnderContention([await Manager(), await Manager()], Seats, times, fault, Ct);

    private static async Task<FencingToken> Grant(IRangeLockManager locks)
    {
        await using var held = await locks.AcquireAsync(Seats, One, X, LockTesting.Someone(), Ct);
        return held.FencingToken;
    }

    private async Task<RedisRangeLockManager> Manager(RedisServer? server = null)
    {
        var connection = await ConnectionMultiplexer.ConnectAsync((server ?? _server).ConnectionString);
        var locks = new RedisRangeLockManager(connection, _epochs, Quick);
        _owned.Add(connection);
        _owned.Add(locks);
        return locks;
    }

    private static async Task<RedisResult> Command(RedisServer server, string command, params object[] arguments)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(server.ConnectionString);
        return await connection.GetServers()[0].ExecuteAsync(command, arguments);
    }

    private async Task<RedisResult> Step(long epoch, string lease, params RedisValue[] words) =>
        (await Call("run", [epoch, lease, 100, words.Length, .. words]))[1];

    private async Task<RedisResult> Call(string function, params RedisValue[] arguments)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(_server.ConnectionString);
        return await connection.GetDatabase().ExecuteAsync("FCALL",
            ["dbsync_lock1_" + function, 1, (RedisKey)$"{Quick.Prefix}:{{seats}}", .. arguments.Select(a => (object)a)]);
    }
}
