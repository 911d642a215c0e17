using DbSync.Locking;
using DbSync.LockWorker;
using DbSync.Postgres;
using DbSync.Postgres.Locking;
using DbSync.Redis;
using DbSync.Testing;
using Npgsql;
using StackExchange.Redis;

namespace DbSync.EndToEnd.Tests.Locking;

/// <summary>
/// T33, T35, promise 5: money that several processes move under range locks adds up in PostgreSQL whatever happens to them and to Redis, and
/// without the fence the same accident destroys some: so the test sees the fault.
/// </summary>
[Trait("Needs", "Server")]
public sealed class BankTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int AccountCount = 30;
    private const long Total = AccountCount * 1_000L;
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(1);

    private RedisServer _redis = null!;
    private string _database = "";
    private NpgsqlDataSource _bank = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync(cancellationToken: Ct);
        _database = await postgres.CreateDatabaseAsync(Ct);
        await using (var primary = new Primary(_database)) await new ControlSchema(primary).UpgradeAsync(Ct);
        _bank = NpgsqlDataSource.Create(_database);
        await Execute($"CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL); INSERT INTO account SELECT i, 1000 FROM generate_series(0, {AccountCount - 1}) i");
    }

    public async ValueTask DisposeAsync()
    {
        await _bank.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task A_holder_paused_before_its_transaction_is_refused_and_nothing_is_lost()
    {
        var outcome = await PauseWhileAnotherTransfers(Gate.AfterRegister, fence: true);
        outcome.ShouldBe("DBS6001");
        (await Sum()).ShouldBe(Total);
    }

    [Fact]
    public async Task Without_the_fence_the_same_pause_destroys_money()
    {
        var outcome = await PauseWhileAnotherTransfers(Gate.AfterRead, fence: false);
        outcome.ShouldBe("written");
        (await Sum()).ShouldNotBe(Total, "the stale balances were written over the newer ones");
    }

    [Fact]
    public async Task A_holder_paused_inside_its_transaction_keeps_the_next_one_waiting_and_nothing_is_lost()
    {
        await using var gate = await CloseGate();
        await using var worker = StartWorker(fence: true, "once", "0", "10", nameof(Gate.AfterRead));
        await worker.WaitForLineAsync(line => line == "at the gate");
        worker.Pause();
        var next = OwnTransfer(fence: true, low: 5, high: 15);
        await Eventually.Async(async _ => await Scalar<long>(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%fence%'") > 0,
            cancellationToken: Ct);
        next.IsCompleted.ShouldBeFalse();
        await gate.DisposeAsync();
        worker.Resume();
        (await worker.WaitForLineAsync(line => line is "written" or "DBS6001")).ShouldBe("written", "it was the newest when it was checked");
        await next;
        (await Sum()).ShouldBe(Total);
    }

    [Trait("Role", "Soak")] // minutes of faults; run by scripts/soak
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public async Task Money_adds_up_whatever_happens_to_processes_and_to_Redis(int seed)
    {
        var random = new Random(seed);
        var workers = Enumerable.Range(0, 3).Select(i => StartForever(seed * 10 + i)).ToList();
        try
        {
            foreach (var worker in workers) await Progress(worker);
            for (var fault = 0; fault < 6; fault++)
            {
                var victim = random.Next(workers.Count);
                switch (fault)
                {
                    case 0 or 3:
                        workers[victim].Kill();
                        await workers[victim].DisposeAsync();
                        workers[victim] = StartForever(seed * 10 + 5 + fault);
                        break;
                    case 1 or 4:
                        workers[victim].Pause();
                        await Task.Delay(Lease * 1.7, TimeProvider.System, Ct); // the fault itself
                        workers[victim].Resume();
                        break;
                    case 2:
                        await _redis.FlushAsync();
                        break;
                    default:
                        await _redis.RestartAsync(Ct);
                        break;
                }

                foreach (var worker in workers) await Progress(worker);
            }
        }
        finally
        {
            foreach (var worker in workers) await worker.DisposeAsync();
        }

        (await Sum()).ShouldBe(Total);
        (await Scalar<long>("SELECT count(*) FROM account WHERE balance <> 1000")).ShouldBeGreaterThan(AccountCount / 2);
    }

    private async Task<string> PauseWhileAnotherTransfers(Gate at, bool fence)
    {
        await using var gate = await CloseGate();
        await using var worker = StartWorker(fence, "once", "0", "10", at.ToString());
        await worker.WaitForLineAsync(line => line == "at the gate");
        worker.Pause();
        await OwnTransfer(fence, low: 5, high: 15); // gets the range when the paused holder's lease is over
        await gate.DisposeAsync();
        worker.Resume();
        return await worker.WaitForLineAsync(line => line.StartsWith("DBS", StringComparison.Ordinal) || line == "written");
    }

    private async Task OwnTransfer(bool fence, int low, int high)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString);
        await using var locks = new RedisRangeLockManager(redis, new PostgresEpochStore(_bank), new RedisRangeLockOptions { LeaseDuration = Lease });
        await new Teller(locks, _bank, fence).Transfer(low, high, seed: 7, Gate.None, _ => { });
    }

    private TestProcess StartForever(int seed) => StartWorker(fence: true, "forever", AccountCount.ToString(), seed.ToString());

    private TestProcess StartWorker(bool fence, params string[] arguments) => TestProcess.Start("dotnet",
        ["exec", Path.Combine(AppContext.BaseDirectory, "DbSync.LockWorker.dll"), .. arguments],
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["WORKER_REDIS"] = _redis.ConnectionString,
            ["WORKER_POSTGRES"] = _database,
            ["WORKER_FENCE"] = fence ? "on" : "off",
            ["WORKER_LEASE_MS"] = Lease.TotalMilliseconds.ToString(),
        });

    private static async Task Progress(TestProcess worker) =>
        await worker.WaitForLineAsync(line => line.StartsWith("done", StringComparison.Ordinal), fromLine: worker.Lines.Count);

    private async Task<NpgsqlConnection> CloseGate()
    {
        // Not pooled: a pooled connection keeps its session, and with it the lock, after it is disposed.
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_database) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Ct);
        await using var close = new NpgsqlCommand($"SELECT pg_advisory_lock({Teller.GateKey})", connection);
        await close.ExecuteNonQueryAsync(Ct);
        return connection;
    }

    private Task<long> Sum() => Scalar<long>("SELECT sum(balance)::bigint FROM account");

    private async Task<T> Scalar<T>(string sql)
    {
        await using var command = _bank.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(Ct))!;
    }

    private async Task Execute(string sql)
    {
        await using var command = _bank.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Ct);
    }
}
