using CsCheck;
using DbSync.Locking;
using Shouldly;
using Xunit;
using static DbSync.Testing.Contracts.LockTesting;

namespace DbSync.Testing.Contracts;

/// <summary>What every <see cref="IRangeLockManager"/> does (T34, T36). Bound to each backend by a derived class.</summary>
public abstract partial class RangeLockManagerContract : IAsyncLifetime
{
    protected const LockMode X = LockMode.Exclusive;
    protected const LockMode S = LockMode.Shared;

    protected IRangeLockManager Locks { get; private set; } = null!;

    /// <summary>A resource no other test uses.</summary>
    protected LockResource Table { get; } = $"t-{Guid.NewGuid():N}";

    protected abstract ValueTask<IRangeLockManager> NewManager();

    public async ValueTask InitializeAsync() => Locks = await NewManager();

    public async ValueTask DisposeAsync()
    {
        await Locks.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private ValueTask<RangeLock> Acquire(KeyRange range, LockMode mode, RangeLockOptions? options = null) =>
        Locks.AcquireAsync(Table, range, mode, options ?? Someone());

    private ValueTask<RangeLock?> Try(KeyRange range, LockMode mode) => Locks.TryAcquireAsync(Table, range, mode, Someone());

    private static KeyRange R(long low, long high) => KeyRange.HalfOpen(low, high);

    [Fact]
    public async Task An_exclusive_lock_keeps_out_exactly_what_overlaps_it()
    {
        await using var held = await Acquire(R(10, 20), X);
        (await Try(R(19, 30), X)).ShouldBeNull();
        (await Try(R(0, 11), S)).ShouldBeNull();
        (await Try(R(12, 13), S)).ShouldBeNull();
        (await Try(KeyRange.All, S)).ShouldBeNull();
        (await Try(KeyRange.Closed(5, 10), X)).ShouldBeNull();
        (await Try(R(20, 30), X)).ShouldNotBeNull();
        (await Try(R(0, 10), X)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Shared_locks_overlap_and_keep_out_only_exclusive_ones()
    {
        await using var first = await Acquire(R(0, 10), S);
        (await Try(R(5, 15), S)).ShouldNotBeNull();
        (await Try(R(5, 6), X)).ShouldBeNull();
        first.Mode.ShouldBe(S);
    }

    [Fact]
    public async Task Locks_of_different_resources_never_meet()
    {
        await using var held = await Acquire(KeyRange.All, X);
        await using var other = await Locks.TryAcquireAsync($"{Table}:", KeyRange.All, X, Someone());
        other.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_released_lock_is_handed_to_the_waiter_and_tokens_grow()
    {
        var first = await Acquire(R(0, 10), X);
        var waiting = Acquire(R(5, 6), X).AsTask();
        await UntilWaiting(Locks, Table, 1);
        waiting.IsCompleted.ShouldBeFalse();
        await first.DisposeAsync();
        await using var second = await waiting;
        second.FencingToken.ShouldBeGreaterThan(first.FencingToken);
        second.Resource.ShouldBe(Table);
        second.Ranges.ShouldBe([R(5, 6)]);
        first.LostToken.IsCancellationRequested.ShouldBeFalse("giving back isn't losing");
    }

    [Fact]
    public async Task Nobody_barges_past_a_waiter_and_disjoint_requests_pass_it()
    {
        var reader = await Acquire(R(0, 10), S);
        var writer = Acquire(R(0, 100), X).AsTask();
        await UntilWaiting(Locks, Table, 1);
        (await Try(R(50, 60), X)).ShouldBeNull("the large range came first");
        (await Try(R(5, 6), S)).ShouldBeNull("readers don't starve the writer");
        (await Try(R(100, 110), X)).ShouldNotBeNull("it is disjoint");

        var lateReader = Acquire(R(5, 6), S).AsTask();
        await UntilWaiting(Locks, Table, 2);
        await reader.DisposeAsync();
        var granted = await writer;
        lateReader.IsCompleted.ShouldBeFalse();
        await granted.DisposeAsync();
        await (await lateReader).DisposeAsync();
    }

    [Fact]
    public async Task Waiters_that_conflict_are_served_in_the_order_they_came()
    {
        const int waiters = 20;
        var first = await Acquire(R(0, 10), X);
        var order = new List<int>();
        var tasks = new List<Task>();
        for (var i = 0; i < waiters; i++)
        {
            tasks.Add(Enter(i));
            await UntilWaiting(Locks, Table, i + 1);
        }

        await first.DisposeAsync();
        await Task.WhenAll(tasks);
        order.ShouldBe(Enumerable.Range(0, waiters));

        async Task Enter(int number)
        {
            await using var held = await Acquire(R(number % 3, 10), X);
            lock (order) order.Add(number);
        }
    }

    [Fact]
    public async Task Several_ranges_are_granted_all_or_none()
    {
        await using var held = await Acquire(R(10, 20), X);
        (await Locks.TryAcquireAsync(Table, [R(0, 5), R(15, 16)], X, Someone())).ShouldBeNull();
        (await Try(R(0, 5), X)).ShouldNotBeNull("the refused request left nothing behind");
        await using var both = await Locks.TryAcquireAsync(Table, [R(30, 40), R(35, 50), R(50, 60), R(20, 25)], X, Someone());
        both.ShouldNotBeNull().Ranges.ShouldBe([R(20, 25), R(30, 60)]);
        (await Try(R(59, 60), S)).ShouldBeNull();
        (await Try(R(25, 30), X)).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_wait_ends_with_its_timeout_and_leaves_nothing_behind()
    {
        await using var held = await Acquire(R(0, 10), S);
        var error = await Should.ThrowAsync<RangeLockTimeoutException>(
            async () => await Acquire(R(0, 10), X, Someone() with { WaitTimeout = TimeSpan.FromMilliseconds(30) }));
        error.Code.ShouldBe("DBS6002");
        await UntilWaiting(Locks, Table, 0);
        (await Try(R(0, 10), S)).ShouldNotBeNull("the writer that gave up no longer holds readers back");
    }

    [Fact]
    public async Task A_cancelled_wait_leaves_no_orphan_and_lets_those_behind_it_pass()
    {
        await using var held = await Acquire(R(0, 10), S);
        using var cancel = new CancellationTokenSource();
        var writer = Locks.AcquireAsync(Table, R(0, 10), X, Someone(), cancel.Token).AsTask();
        await UntilWaiting(Locks, Table, 1);
        var reader = Acquire(R(0, 10), S).AsTask();
        await UntilWaiting(Locks, Table, 2);
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => writer);
        await (await reader).DisposeAsync();
        var snapshot = await Locks.Inspector.SnapshotAsync(Table, CancellationToken.None);
        snapshot.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Giving_back_twice_does_nothing()
    {
        var first = await Acquire(R(0, 10), X);
        await first.DisposeAsync();
        await using var second = await Acquire(R(0, 10), X);
        await first.DisposeAsync();
        (await Try(R(0, 10), X)).ShouldBeNull("the second holder is still there");
    }

    [Fact]
    public async Task Downgrading_lets_waiting_readers_in_and_keeps_writers_out()
    {
        await using var held = await Acquire(R(0, 10), X);
        var reader = Acquire(R(0, 10), S).AsTask();
        await UntilWaiting(Locks, Table, 1);
        await held.DowngradeAsync();
        held.Mode.ShouldBe(S);
        await using var second = await reader;
        (await Try(R(0, 10), X)).ShouldBeNull();
        await held.DowngradeAsync();
    }

    [Fact]
    public async Task Upgrading_succeeds_alone_and_refuses_instead_of_waiting()
    {
        var first = await Acquire(R(0, 10), S);
        var second = await Acquire(R(9, 20), S);
        (await first.TryUpgradeAsync()).ShouldBeFalse();
        (await second.TryUpgradeAsync()).ShouldBeFalse();
        await second.DisposeAsync();
        var before = first.FencingToken;
        (await first.TryUpgradeAsync()).ShouldBeTrue();
        first.Mode.ShouldBe(X);
        first.FencingToken.ShouldBeGreaterThan(before);
        (await Try(R(0, 1), S)).ShouldBeNull();
        (await first.TryUpgradeAsync()).ShouldBeTrue("it is exclusive already");
        await first.DisposeAsync();
        (await Try(R(0, 10), X)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Readers_that_queued_behind_a_writer_wait_for_an_upgraded_lock_too()
    {
        // The reader came before the upgrade, overlaps the upgraded lock, and was held back by somebody else.
        var upgraded = await Acquire(R(5, 10), S);
        var writer = await Acquire(R(0, 5), X);
        var reader = Acquire(R(0, 10), S).AsTask();
        await UntilWaiting(Locks, Table, 1);
        (await upgraded.TryUpgradeAsync()).ShouldBeTrue();
        await writer.DisposeAsync();
        await UntilWaiting(Locks, Table, 1);
        reader.IsCompleted.ShouldBeFalse();
        await upgraded.DisposeAsync();
        await (await reader).DisposeAsync();
    }

    [Fact]
    public async Task Changing_the_mode_of_a_lock_that_was_given_back_is_refused()
    {
        var held = await Acquire(R(0, 10), S);
        await held.DisposeAsync();
        (await Should.ThrowAsync<RangeLockLostException>(async () => await held.TryUpgradeAsync())).Code.ShouldBe("DBS6001");
        await Should.ThrowAsync<RangeLockLostException>(async () => await held.DowngradeAsync());
    }

    [Fact]
    public async Task Two_owners_that_wait_for_each_other_are_told_apart_by_an_error()
    {
        var (mine, yours) = (Someone(), Someone());
        var a = await Acquire(R(0, 10), X, mine);
        var b = await Acquire(R(10, 20), X, yours);
        var first = Acquire(R(10, 20), X, mine).AsTask();
        await UntilWaiting(Locks, Table, 1);
        var second = Acquire(R(0, 10), X, yours).AsTask();
        await OneGivesWay(first, a, second, b);
    }

    [Fact]
    public async Task A_deadlock_across_resources_is_found()
    {
        LockResource other = $"{Table}-b";
        var (mine, yours) = (Someone(), Someone());
        var a = await Acquire(R(0, 10), X, mine);
        var b = await Locks.AcquireAsync(other, R(0, 10), X, yours);
        var first = Locks.AcquireAsync(other, R(0, 10), X, mine).AsTask();
        await UntilWaiting(Locks, other, 1);
        var second = Acquire(R(0, 10), X, yours).AsTask();
        await OneGivesWay(first, a, second, b);
    }

    [Fact]
    public async Task The_owner_is_the_calling_flow_unless_another_is_named()
    {
        await using var outer = await Locks.AcquireAsync(Table, R(0, 10), X, Patient);
        var error = await Should.ThrowAsync<RangeLockDeadlockException>(async () => await Locks.AcquireAsync(Table, R(5, 6), X, Patient));
        error.Code.ShouldBe("DBS6003");
        await using var inner = await Locks.AcquireAsync(Table, R(10, 20), X, Patient);
        inner.Owner.ShouldBe(outer.Owner);
    }

    [Fact]
    public async Task An_operator_sees_who_waits_for_whom_and_can_revoke()
    {
        var held = await Acquire(R(0, 10), X);
        var waiting = Acquire(R(5, 15), S).AsTask();
        await UntilWaiting(Locks, Table, 1);
        var snapshot = await Locks.Inspector.SnapshotAsync(Table, CancellationToken.None);
        snapshot.Epoch.ShouldBe(held.FencingToken.Epoch);
        snapshot.Entries.Count.ShouldBe(2);
        var (holder, waiter) = (snapshot.Entries[0], snapshot.Entries[1]);
        holder.Token.ShouldBe(held.FencingToken);
        holder.Owner.ShouldBe(held.Owner.Id);
        holder.Ranges.ShouldBe([R(0, 10)]);
        waiter.IsHeld.ShouldBeFalse();
        waiter.Mode.ShouldBe(S);
        waiter.WaitsFor.ShouldBe([holder.Id]);
        (snapshot.Conflicts, snapshot.ConflictsBound).ShouldBe((1, 1));
        (await Locks.Inspector.ListResourcesAsync(CancellationToken.None)).ShouldContain(Table);

        await Locks.Inspector.ReleaseAsync(Table, holder.Id, CancellationToken.None);
        await Lost(held);
        Should.Throw<RangeLockLostException>(held.ThrowIfLost);
        await using var next = await waiting;
        await held.DisposeAsync();
        var gone = await Should.ThrowAsync<DbSyncException>(
            async () => await Locks.Inspector.ReleaseAsync(Table, holder.Id, CancellationToken.None));
        gone.Code.ShouldBe("DBS6011");
    }

    [Fact]
    public async Task A_reset_tells_every_holder_raises_the_epoch_and_serves_the_waiters()
    {
        var held = await Acquire(R(0, 10), X);
        var waiting = Acquire(R(0, 10), X).AsTask();
        await UntilWaiting(Locks, Table, 1);
        var epoch = await Locks.Inspector.ResetAsync(Table, CancellationToken.None);
        epoch.ShouldBeGreaterThan(held.FencingToken.Epoch);
        await Lost(held);
        await using var next = await waiting;
        next.FencingToken.Epoch.ShouldBe(epoch);
    }

    [Fact]
    public async Task Every_kind_of_key_can_be_locked()
    {
        var id = Guid.NewGuid();
        KeyRange[] ranges =
        [
            KeyRange.Single(7), KeyRange.Single("köy\0'"), KeyRange.Single(id), KeyRange.Single(new byte[] { 0, 255, 0 }),
            KeyRange.Single(new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc)), KeyRange.Single(-1.5m),
            KeyRange.Single(RangeKey.Composite(5, "a", id)),
        ];
        await using var all = await Locks.AcquireAsync(Table, ranges, X, Someone());
        foreach (var range in ranges) (await Try(range, S)).ShouldBeNull(range.ToString());
        (await Try(KeyRange.Single(RangeKey.Composite(5, "a")), S)).ShouldBeNull("it begins the composite key");
        (await Try(KeyRange.Single(RangeKey.Composite(5, "b")), X)).ShouldNotBeNull();
        (await Locks.Inspector.SnapshotAsync(Table, CancellationToken.None)).Entries[0].Ranges.ShouldBe(all.Ranges);
    }

    [Fact]
    public async Task Unusable_requests_are_refused_by_name()
    {
        (await Should.ThrowAsync<DbSyncException>(async () => await Locks.AcquireAsync(Table, [], X))).Code.ShouldBe("DBS6004");
        Should.Throw<DbSyncException>(() => R(5, 5)).Code.ShouldBe("DBS6004");
        Should.Throw<DbSyncException>(() => new LockResource("")).Code.ShouldBe("DBS6004");
        Should.Throw<DbSyncException>(() => new LockResource("a\0b")).Code.ShouldBe("DBS6004");
        Should.Throw<DbSyncException>(() => RangeKey.From(new string('x', 2000))).Code.ShouldBe("DBS6004");
        (await Should.ThrowAsync<DbSyncException>(
            async () => await Acquire(R(0, 1), X, Patient with { WaitTimeout = TimeSpan.FromDays(2) }))).Code.ShouldBe("DBS1001");
    }

    [Fact]
    public async Task Disposing_the_manager_ends_its_locks_and_waits()
    {
        var manager = await NewManager();
        var held = await manager.AcquireAsync(Table, R(0, 10), X, Someone());
        var waiting = manager.AcquireAsync(Table, R(0, 10), X, Someone()).AsTask();
        await UntilWaiting(manager, Table, 1);
        await manager.DisposeAsync();
        await Should.ThrowAsync<ObjectDisposedException>(() => waiting);
        held.LostToken.IsCancellationRequested.ShouldBeTrue();
        await Should.ThrowAsync<ObjectDisposedException>(async () => await manager.TryAcquireAsync(Table, R(0, 10), X));
    }

    /// <summary>How many random runs of up to 60 steps the oracle gets; each has a resource of its own.</summary>
    protected abstract int OracleRuns { get; }

    [Fact]
    public async Task After_every_step_exactly_what_the_rule_says_is_held()
    {
        var (runs, waits) = (0, 0);
        await RangeLockOracle.Steps.SampleAsync(async steps =>
        {
            var oracle = new RangeLockOracle(Locks, $"{Table}-{Interlocked.Increment(ref runs)}");
            await oracle.Run(steps);
            Interlocked.Add(ref waits, oracle.Waits);
        }, iter: OracleRuns, threads: 2);
        waits.ShouldBeGreaterThan(OracleRuns, "steps that never wait prove nothing");
    }

    [Fact]
    public async Task Workers_that_hold_overlapping_ranges_never_meet()
    {
        const int workers = 16, sections = 100;
        var stress = new RangeLockStress(cells: 64);
        await Task.WhenAll(Enumerable.Range(0, workers).Select(seed => Task.Run(() => stress.Work(Locks, Table, seed, sections))));
        stress.Violations.ShouldBe(0);
        stress.Sections.ShouldBe(workers * sections);
        (await Locks.Inspector.SnapshotAsync(Table, CancellationToken.None)).Entries.ShouldBeEmpty();
    }

    private static async Task OneGivesWay(Task<RangeLock> first, RangeLock heldByFirst, Task<RangeLock> second, RangeLock heldBySecond)
    {
        var (loser, winner, heldByLoser) = await Task.WhenAny(first, second) == first
            ? (first, second, heldByFirst)
            : (second, first, heldBySecond);
        (await Should.ThrowAsync<RangeLockDeadlockException>(() => loser)).Code.ShouldBe("DBS6003");
        await heldByLoser.DisposeAsync();
        await (await winner).DisposeAsync();
    }
}
