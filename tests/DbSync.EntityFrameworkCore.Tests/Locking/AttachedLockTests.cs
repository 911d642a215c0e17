using System.Data;
using System.Transactions;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Locking;
using DbSync.Postgres.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using IsolationLevel = System.Data.IsolationLevel;

namespace DbSync.EntityFrameworkCore.Tests.Locking;

/// <summary>A context that writes under a lock, on a real PostgreSQL with the real fence.</summary>
[Trait("Needs", "Server")]
public sealed class AttachedLockTests(ShopFixture shop) : IAsyncLifetime
{
    private const LockMode X = LockMode.Exclusive;

    private string _connectionString = "";
    private NpgsqlDataSource _primary = null!;
    private InMemoryRangeLockManager _locks = null!;
    private PostgresFence _fence = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _connectionString = await shop.CreateDatabaseAsync();
        await InstalledSchema.CreateAsync(_connectionString, Cancel);
        _primary = NpgsqlDataSource.Create(_connectionString);
        await Execute(SeatContext.Schema);
        _locks = new InMemoryRangeLockManager(new PostgresEpochStore(_primary));
        _fence = new PostgresFence(_primary);
    }

    public async ValueTask DisposeAsync()
    {
        await _locks.DisposeAsync();
        await _primary.DisposeAsync();
    }

    [Fact]
    public async Task A_holder_writes_and_a_stale_one_is_told_that_its_lock_is_lost_and_writes_nothing()
    {
        await using var db = Context();
        await using var held = await db.Seats.LockRangeAsync(s => s.Id, 10, 13, X, cancellationToken: Cancel);
        await db.UseLockAsync(held, Cancel);
        var seat = await db.Seats.SingleAsync(s => s.Id == 11, Cancel);
        seat.Holder = "first";
        await db.SaveChangesAsync(Cancel);

        await Overtake(held);
        seat.Holder = "stale";
        (await Should.ThrowAsync<RangeLockLostException>(() => db.SaveChangesAsync(Cancel))).Code.ShouldBe("DBS6001");
        Should.Throw<RangeLockLostException>(() => db.SaveChanges());
        await Should.ThrowAsync<RangeLockLostException>(() => db.Database.BeginTransactionAsync(Cancel));
        Should.Throw<RangeLockLostException>(() => db.Database.BeginTransaction());
        db.Database.CurrentTransaction.ShouldBeNull();
        db.Database.GetDbConnection().State.ShouldBe(ConnectionState.Closed);
        db.Database.AutoTransactionBehavior.ShouldBe(AutoTransactionBehavior.WhenNeeded);
        (await Holder(11)).ShouldBe("first");
    }

    [Fact]
    public async Task A_transaction_that_is_repeated_proves_the_lock_again()
    {
        await using var db = Context(retries: true);
        await using var held = await db.Seats.LockKeyAsync(s => s.Id, 5, X, cancellationToken: Cancel);
        await db.UseLockAsync(held, Cancel);
        var strategy = db.Database.CreateExecutionStrategy();
        var attempts = 0;
        await strategy.ExecuteAsync(() => Write("kept", failures: 1));
        (attempts, await Holder(5)).ShouldBe((2, "kept"));

        attempts = 0;
        await Should.ThrowAsync<RangeLockLostException>(() => strategy.ExecuteAsync(() => Write("stale", failures: 1, overtakenAfter: 1)));
        (attempts, await Holder(5)).ShouldBe((1, "kept"));

        async Task Write(string holder, int failures, int overtakenAfter = int.MaxValue)
        {
            await using (var transaction = await db.Database.BeginTransactionAsync(Cancel))
            {
                attempts++;
                await db.Seats.Where(s => s.Id == 5).ExecuteUpdateAsync(u => u.SetProperty(s => s.Holder, holder), Cancel);
                if (attempts > failures)
                {
                    await transaction.CommitAsync(Cancel);
                    return;
                }
            }

            if (attempts >= overtakenAfter) await Overtake(held);
            await Execute("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_SaveChanges_repeats_by_itself_proves_the_lock_again(bool isOvertaken)
    {
        await Execute(
            """
            CREATE SEQUENCE attempts;
            CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('attempts') = 1 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER fail_once BEFORE UPDATE ON seats FOR EACH ROW EXECUTE FUNCTION fail_once();
            """);
        var fence = new CountingFence(_fence);
        await using var db = new SeatContext(new DbContextOptionsBuilder<SeatContext>().OfManyKinds()
            .UseNpgsql(_connectionString, o => o.EnableRetryOnFailure()).UseRangeLocks(_locks, fence).Options);
        await using var held = await db.Seats.LockKeyAsync(s => s.Id, 6, X, cancellationToken: Cancel);
        await db.UseLockAsync(held, Cancel);
        (await db.Seats.SingleAsync(s => s.Id == 6, Cancel)).Holder = "me";
        if (isOvertaken) fence.BeforeTheSecond = () => Overtake(held);
        if (isOvertaken) await Should.ThrowAsync<RangeLockLostException>(() => db.SaveChangesAsync(Cancel));
        else await db.SaveChangesAsync(Cancel);
        (fence.Guarded, await Holder(6)).ShouldBe((2, isOvertaken ? null : "me"));
    }

    [Fact]
    public async Task Attaching_is_refused_once_something_was_read()
    {
        await using var db = Context();
        await using var held = await db.Seats.LockRangeAsync(s => s.Id, 20, 23, X, cancellationToken: Cancel);
        await using (await db.Database.BeginTransactionAsync(Cancel))
        {
            (await db.Seats.AsNoTracking().CountAsync(Cancel)).ShouldBe(100);
            await TooLate(db, held);
        }

        await using (var connection = await _primary.OpenConnectionAsync(Cancel))
        await using (var foreign = await connection.BeginTransactionAsync(Cancel))
        await using (var other = Context(connection))
        {
            await other.Database.UseTransactionAsync(foreign, Cancel);
            await TooLate(other, held);
        }

        await db.Seats.FirstAsync(s => s.Id == 20, Cancel);
        await TooLate(db, held);
        db.ChangeTracker.Clear();
        db.Add(new Booking { Tenant = "a", Number = 1 });
        db.UseLock(held);
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await Unguarded(async () => await db.UseLockAsync(held, Cancel));
            await Unguarded(() => db.SaveChangesAsync(Cancel));
        }
    }

    [Fact]
    public async Task Attaching_to_a_fresh_transaction_guards_it_and_what_comes_after_its_rollback()
    {
        await using var db = Context();
        await using var held = await db.Seats.LockKeyAsync(s => s.Id, 30, X, cancellationToken: Cancel);
        await using (await db.Database.BeginTransactionAsync(Cancel))
        {
            await db.UseLockAsync(held, Cancel);
            (await db.Seats.AsNoTracking().CountAsync(Cancel)).ShouldBe(100);
        }

        (await Registered()).ShouldBe(0, "it was rolled back with the rest");
        (await db.Seats.AsNoTracking().CountAsync(Cancel)).ShouldBe(100);
        (await Registered()).ShouldBe(1, "before anything is read again");
    }

    [Fact]
    public async Task Snapshots_and_upgrades_are_registered_before_they_begin()
    {
        await using var db = Context();
        await using var held = await db.Seats.LockKeyAsync(s => s.Id, 31, LockMode.Shared, cancellationToken: Cancel);
        await db.UseLockAsync(held, Cancel);
        (await held.TryUpgradeAsync(Cancel)).ShouldBeTrue();
        await using var transaction = await db.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead, Cancel);
        (await db.Seats.SingleAsync(s => s.Id == 31, Cancel)).Holder = "me";
        await db.SaveChangesAsync(Cancel);
        await transaction.CommitAsync(Cancel);
        (await Holder(31)).ShouldBe("me");

        await using var other = Context();
        await using var late = await other.Seats.LockKeyAsync(s => s.Id, 32, X, cancellationToken: Cancel);
        await using var snapshot = await other.Database.BeginTransactionAsync(IsolationLevel.Serializable, Cancel);
        (await Should.ThrowAsync<DbSyncException>(async () => await other.UseLockAsync(late, Cancel))).Code.ShouldBe("DBS6012");
    }

    [Fact]
    public async Task Statements_that_could_write_without_the_fence_are_refused()
    {
        await using var db = Context();
        await using var held = await db.Seats.LockKeyAsync(s => s.Id, 40, X, cancellationToken: Cancel);
        await db.UseLockAsync(held, Cancel);
        await Unguarded(() => db.Seats.Where(s => s.Id == 40).ExecuteUpdateAsync(u => u.SetProperty(s => s.Holder, "x"), Cancel));
        await Unguarded(() => db.Seats.Where(s => s.Id == 40).ExecuteDeleteAsync(Cancel));
        await Unguarded(() => db.Database.ExecuteSqlRawAsync("DELETE FROM seats", Cancel));
        Should.Throw<DbSyncException>(() => db.Seats.ExecuteDelete()).Code.ShouldBe("DBS6015");
        await using (var transaction = await db.Database.BeginTransactionAsync(Cancel))
        {
            await db.Seats.Where(s => s.Id == 40).ExecuteUpdateAsync(u => u.SetProperty(s => s.Holder, "x"), Cancel);
            await transaction.CommitAsync(Cancel);
        }

        (await Holder(40)).ShouldBe("x");
    }

    [Fact]
    public async Task A_lock_that_was_given_back_is_attached_no_more()
    {
        await using var db = Context();
        var held = await db.Seats.LockKeyAsync(s => s.Id, 50, X, cancellationToken: Cancel);
        db.UseLock(held);
        await held.DisposeAsync();
        held.IsDisposed.ShouldBeTrue();
        await using (var next = await db.Seats.LockKeyAsync(s => s.Id, 50, X, cancellationToken: Cancel)) await _fence.RegisterAsync(next, Cancel);
        (await db.Seats.SingleAsync(s => s.Id == 50, Cancel)).Holder = "free";
        await db.SaveChangesAsync(Cancel);
        await Should.ThrowAsync<ObjectDisposedException>(async () => await db.UseLockAsync(held, Cancel));
    }

    [Fact]
    public async Task Reads_under_a_lock_are_the_primarys_or_strong_ones_of_the_replica()
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), SeatContext.Schema, "seats", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await using var primary = NpgsqlDataSource.Create(node.ConnectionString);
        await using var locks = new InMemoryRangeLockManager(new PostgresEpochStore(primary));
        await using var db = new SeatContext(new DbContextOptionsBuilder<SeatContext>().OfManyKinds().UseNpgsql(node.ConnectionString)
            .UseDbSync(node.DataPath, o => o.UseConsistency(ReadConsistency.Eventual).WaitUpTo(TimeSpan.FromSeconds(30)))
            .UseRangeLocks(locks, new PostgresFence(primary)).Options);
        var seats = db.Seats.AsNoTracking().Where(s => s.Id < 50);
        seats.GetRoute().Reason.ShouldBe(RouteReason.Replica);
        await using (var held = await db.Seats.LockRangeAsync(s => s.Id, 0, 49, X, cancellationToken: Cancel))
        {
            await db.UseLockAsync(held, Cancel);
            seats.GetRoute().Reason.ShouldBe(RouteReason.Locked);
            for (var i = 0; i < 20; i++)
            {
                await node.ExecuteAsync($"UPDATE seats SET holder = '{i}' WHERE id = 7"); // somebody who takes no locks
                (await seats.UseReplica().WithConsistency(ReadConsistency.Eventual).SingleAsync(s => s.Id == 7, Cancel)).Holder.ShouldBe($"{i}");
            }
        }

        seats.GetRoute().Reason.ShouldBe(RouteReason.Replica);
    }

    private SeatContext Context(bool retries = false) => new(new DbContextOptionsBuilder<SeatContext>().OfManyKinds()
        .UseNpgsql(_connectionString, o =>
        {
            if (retries) o.EnableRetryOnFailure();
        })
        .UseRangeLocks(_locks, _fence).Options);

    private SeatContext Context(NpgsqlConnection connection) =>
        new(new DbContextOptionsBuilder<SeatContext>().OfManyKinds().UseNpgsql(connection).UseRangeLocks(_locks, _fence).Options);

    // As if the lock had run out unseen, and its range had gone to somebody else.
    private async Task Overtake(RangeLock held)
    {
        var newer = new KnownLock(held.Resource, X, held.FencingToken.Epoch, held.FencingToken.Sequence + 1, [.. held.Ranges]);
        await _fence.RegisterAsync(newer, Cancel);
    }

    private static async Task TooLate(SeatContext db, RangeLock held) =>
        (await Should.ThrowAsync<DbSyncException>(async () => await db.UseLockAsync(held, Cancel))).Code.ShouldBe("DBS6014");

    private static async Task Unguarded(Func<Task> action) => (await Should.ThrowAsync<DbSyncException>(action)).Code.ShouldBe("DBS6015");

    private async Task<long> Registered()
    {
        await using var command = _primary.CreateCommand("SELECT count(*) FROM dbsync.fence");
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    private async Task<string?> Holder(int seat)
    {
        await using var command = _primary.CreateCommand($"SELECT holder FROM seats WHERE id = {seat}");
        return await command.ExecuteScalarAsync(Cancel) as string;
    }

    private async Task Execute(string sql)
    {
        await using var command = _primary.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
