using System.Data;
using DbSync.Locking;
using DbSync.Postgres.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using Npgsql;

namespace DbSync.Postgres.Tests.Locking;

/// <summary>What PostgreSQL lets through, and what it makes wait (T33, S11).</summary>
[Trait("Needs", "Server")]
public sealed class PostgresFenceTests(PostgresFixture postgres) : FenceTestBase(postgres)
{
    [Fact]
    public async Task An_older_holder_is_refused_once_a_newer_one_is_registered()
    {
        await Register(Lock(X, 4, R(0, 10)));
        await Register(Lock(X, 5, R(5, 15)));
        await Refused(Lock(X, 4, R(0, 10)));
        await Refused(Lock(S, 4, R(5, 6)));
        await Register(Lock(X, 4, R(0, 5)));
        await Register(Lock(X, 5, R(5, 15)));
        await Register(Lock(X, 1, R(15, 20)));
    }

    [Fact]
    public async Task Shared_holders_stop_older_exclusive_ones_and_are_stopped_by_newer_ones()
    {
        await Register(Lock(S, 5, R(0, 10)));
        await Register(Lock(S, 3, R(5, 6)));
        await Refused(Lock(X, 4, R(9, 20)));
        await Register(Lock(X, 6, R(9, 20)));
        await Refused(Lock(S, 5, R(0, 10)));
        await Register(Lock(S, 5, R(0, 9)));
        await Register(Lock(S, 7, R(0, 20)));
        await Refused(Lock(X, 6, R(15, 16)));
    }

    [Fact]
    public async Task Tokens_of_other_epochs_are_refused_and_a_reset_ends_a_forged_one()
    {
        await Refused(new KnownLock(Accounts, X, Epoch + 1, 1, R(0, 10)));
        await Refused(new KnownLock("never locked", X, 1, 1, R(0, 10)));
        await Register(Lock(X, FencingToken.SequenceMax, R(0, 10)));
        await Refused(Lock(X, 8, R(0, 10)));
        await Register(Lock(X, 8, R(10, 20)));
        var next = (await Epochs.AdvanceAsync(Accounts, Epoch, Ct))!.Value;
        await Refused(Lock(X, FencingToken.SequenceMax, R(0, 10)));
        await Register(new KnownLock(Accounts, X, next, 1, R(0, 10)));
        (await Epochs.AdvanceAsync(Accounts, Epoch, Ct)).ShouldBeNull("somebody raised it before");
        (await Epochs.ReadAsync(Accounts, Ct)).ShouldBe(next);
    }

    [Fact]
    public async Task A_newer_holder_waits_for_a_guarded_transaction_of_the_older_one()
    {
        var older = Lock(X, 4, R(0, 10));
        await Register(older);
        await using var connection = await Database.OpenConnectionAsync(Ct);
        await using var guarded = await connection.BeginTransactionAsync(Ct);
        await Fence.GuardAsync(guarded, older, Ct);
        var newer = Register(Lock(X, 5, R(3, 4))).AsTask();
        await UntilSomeoneWaits();
        newer.IsCompleted.ShouldBeFalse();
        await guarded.CommitAsync(Ct);
        await newer;
        await using var late = await connection.BeginTransactionAsync(Ct);
        await Refused(async () => await Fence.GuardAsync(late, older, Ct));
    }

    [Theory]
    [InlineData(X, X)]
    [InlineData(X, S)]
    [InlineData(S, X)]
    public async Task An_older_holder_that_waited_for_rows_that_a_newer_one_replaced_is_refused(LockMode newer, LockMode older)
    {
        await Register(Lock(X, 4, R(0, 10)));
        await using var connection = await Database.OpenConnectionAsync(Ct);
        await using var guarded = await connection.BeginTransactionAsync(Ct);
        await Fence.GuardAsync(guarded, Lock(newer, 6, R(5, 15)), Ct); // the row of the older range is split
        var late = Register(Lock(older, 5, R(0, 10))).AsTask();
        await UntilSomeoneWaits();
        await guarded.CommitAsync(Ct);
        await Refused(() => late);
    }

    [Fact]
    public async Task Raising_the_epoch_waits_for_guarded_transactions_and_is_not_starved_by_new_ones()
    {
        var held = Lock(X, 4, R(0, 10));
        await Register(held);
        await using var connection = await Database.OpenConnectionAsync(Ct);
        await using var guarded = await connection.BeginTransactionAsync(Ct);
        await Fence.GuardAsync(guarded, held, Ct);
        var raised = Epochs.AdvanceAsync(Accounts, Epoch, Ct).AsTask();
        await UntilSomeoneWaits();
        var behind = Register(Lock(X, 4, R(0, 10))).AsTask();
        await Eventually.Async(async _ => await Scalar<long>("SELECT count(*) FROM pg_locks WHERE NOT granted") == 2, cancellationToken: Ct);
        await guarded.CommitAsync(Ct);
        (await raised).ShouldBe(Epoch + 1);
        await Refused(() => behind);
    }

    [Fact]
    public async Task Shared_holders_do_not_wait_for_each_other()
    {
        await Register(Lock(X, 1, R(0, 10)));
        var first = Lock(S, 4, R(0, 10));
        await Register(first);
        await using var connection = await Database.OpenConnectionAsync(Ct);
        await using var guarded = await connection.BeginTransactionAsync(Ct);
        await Fence.GuardAsync(guarded, first, Ct);
        await Register(Lock(S, 5, R(0, 10))); // would hang here
        await Register(Lock(S, 6, R(5, 9)));
        await using var other = await Database.OpenConnectionAsync(Ct);
        await using var alsoGuarded = await other.BeginTransactionAsync(Ct);
        await Fence.GuardAsync(alsoGuarded, Lock(S, 6, R(5, 9)), Ct);
        var writer = Register(Lock(X, 7, R(0, 1))).AsTask();
        await UntilSomeoneWaits();
        await guarded.RollbackAsync(Ct);
        await alsoGuarded.RollbackAsync(Ct);
        await writer;
    }

    [Theory]
    [InlineData(IsolationLevel.RepeatableRead)]
    [InlineData(IsolationLevel.Serializable)]
    public async Task With_a_snapshot_the_lock_must_be_registered_before(IsolationLevel level)
    {
        await using var connection = await Database.OpenConnectionAsync(Ct);
        await using (var unregistered = await connection.BeginTransactionAsync(level, Ct))
        {
            var error = await Should.ThrowAsync<DbSyncException>(async () => await Fence.GuardAsync(unregistered, Lock(X, 4, R(0, 10)), Ct));
            error.Code.ShouldBe("DBS6012");
        }

        await Register(Lock(X, 4, R(0, 10)));
        await using (var registered = await connection.BeginTransactionAsync(level, Ct))
        {
            await Fence.GuardAsync(registered, Lock(X, 4, R(0, 10)), Ct);
            await registered.CommitAsync(Ct);
        }

        // A snapshot taken before a newer holder registered must not hide it.
        foreach (var mode in new[] { S, X })
        {
            await using var late = await connection.BeginTransactionAsync(level, Ct);
            await using (var look = new NpgsqlCommand("SELECT 1 FROM pg_class LIMIT 1", connection, late)) await look.ExecuteScalarAsync(Ct);
            await Register(Lock(mode, mode == S ? 5 : 6, R(9, 10)));
            var failure = await Should.ThrowAsync<Exception>(async () => await Fence.GuardAsync(late, Lock(X, 4, R(0, 10)), Ct));
            (failure is RangeLockLostException or PostgresException { SqlState: "40001" }).ShouldBeTrue(failure.ToString());
        }
    }

    [Fact]
    public async Task What_is_older_than_the_floor_is_forgotten_and_refused()
    {
        for (var i = 1; i <= 20; i++) await Register(Lock(i % 2 == 0 ? S : X, i, R(i, i + 1)));
        var floor = new FencingToken(Epoch, 15).Value;
        (await Scalar<long>($"SELECT dbsync.fence_prune('accounts', {floor})")).ShouldBeGreaterThan(14);
        await Refused(Lock(X, 14, R(100, 101)));
        await Register(Lock(X, 15, R(15, 16)));
        await Refused(Lock(X, 15, R(16, 17)));
    }

    [Fact]
    public async Task What_nobody_has_used_for_days_is_forgotten_by_itself_and_stays_refused()
    {
        for (var i = 1; i <= 20; i++) await Register(Lock(i % 2 == 0 ? S : X, i, R(i, i + 1)));
        await Register(Lock(X, FencingToken.SequenceMax, R(90, 91))); // forged
        await Age("true");
        await Register(Lock(X, 7, R(7, 8))); // still used: it was granted long ago, and proves its lock
        (await Scalar<long>("SELECT dbsync.fence_trim('accounts')")).ShouldBe(16, "tokens 1 to 6, and the rows that only say that shared holders were there");
        (await Scalar<long>("SELECT dbsync.fence_trim('accounts')")).ShouldBe(0);
        await Refused(Lock(X, 6, R(6, 7)));
        await Refused(Lock(X, 5, R(70, 71)));
        await Register(Lock(X, 7, R(7, 8)));
        await Refused(Lock(X, 7, R(8, 9)));
        await Register(Lock(X, 8, R(1, 3)));
        await Register(Lock(X, 21, R(0, 90)));

        await Age("true");
        await new PostgresFence(Database).RegisterAsync(Lock(X, 30, R(0, 90)), Ct); // the first of a process's registrations trims
        (await Scalar<long>("SELECT count(*) FROM dbsync.fence")).ShouldBe(2, "the one in use, and the forged one, which only a reset ends");
        await Register(Lock(X, 29, R(91, 100)));
        await Refused(Lock(X, 29, R(90, 91)));

        Task Age(string what) => Execute($"UPDATE dbsync.fence SET seen_on = seen_on - 3 WHERE {what}; UPDATE dbsync.fence_reader SET seen_on = seen_on - 3 WHERE {what}");
    }

    private async Task Execute(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Ct);
    }

    [Fact]
    public async Task A_missing_schema_says_how_to_make_it()
    {
        await using (var drop = Database.CreateCommand("DROP SCHEMA dbsync CASCADE")) await drop.ExecuteNonQueryAsync(Ct);
        (await Should.ThrowAsync<DbSyncException>(async () => await Epochs.ReadAsync(Accounts, Ct))).Code.ShouldBe("DBS1002");
        (await Should.ThrowAsync<DbSyncException>(async () => await Register(Lock(X, 1, R(0, 1))))).Code.ShouldBe("DBS1002");
    }
}
