using DbSync.Locking;
using DbSync.Postgres.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using Npgsql;

namespace DbSync.Postgres.Tests.Locking;

/// <summary>A database with the control schema, and one resource in epoch 1.</summary>
public abstract class FenceTestBase(PostgresFixture postgres) : IAsyncLifetime
{
    protected const LockMode X = LockMode.Exclusive;
    protected const LockMode S = LockMode.Shared;

    protected string ConnectionString { get; private set; } = "";

    protected NpgsqlDataSource Database { get; private set; } = null!;

    protected PostgresFence Fence { get; private set; } = null!;

    protected PostgresEpochStore Epochs { get; private set; } = null!;

    protected LockResource Accounts { get; } = "accounts";

    protected long Epoch { get; private set; }

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        ConnectionString = await postgres.CreateDatabaseAsync(Ct);
        await using (var primary = new Primary(ConnectionString)) await new ControlSchema(primary).UpgradeAsync(Ct);
        Database = NpgsqlDataSource.Create(ConnectionString);
        (Fence, Epochs) = (new PostgresFence(Database), new PostgresEpochStore(Database));
        Epoch = (await Epochs.AdvanceAsync(Accounts, 0, Ct))!.Value;
    }

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected KnownLock Lock(LockMode mode, long sequence, params KeyRange[] ranges) => new(Accounts, mode, Epoch, sequence, ranges);

    protected static KeyRange R(int low, int high) => KeyRange.HalfOpen(low, high);

    protected ValueTask Register(RangeLock held) => Fence.RegisterAsync(held, Ct);

    protected static async Task Refused(Func<Task> action) =>
        (await Should.ThrowAsync<RangeLockLostException>(action)).Code.ShouldBe("DBS6001");

    protected Task Refused(RangeLock held) => Refused(async () => await Register(held));

    protected async Task<T> Scalar<T>(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(Ct))!;
    }

    /// <summary>Waits until some session of this database waits for a lock: the moment a test can look at who blocks whom.</summary>
    protected Task UntilSomeoneWaits() => Eventually.Async(async _ => await Scalar<long>(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0, cancellationToken: Ct);
}
