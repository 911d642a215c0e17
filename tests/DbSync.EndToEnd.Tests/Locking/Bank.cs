using DbSync.Locking;
using DbSync.LockWorker;
using DbSync.Postgres;
using DbSync.Postgres.Locking;
using DbSync.Redis;
using DbSync.Testing;
using Npgsql;
using StackExchange.Redis;

namespace DbSync.EndToEnd.Tests.Locking;

/// <summary>Accounts in PostgreSQL, a Redis, and tellers in processes of their own that reach both through proxies.</summary>
internal sealed class Bank : IAsyncDisposable
{
    public const int AccountCount = 30;
    public const long Total = AccountCount * 1_000L;
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan ProgressTimeout = TimeSpan.FromMinutes(2);

    private readonly string _database;
    private readonly NpgsqlDataSource _accounts;

    private Bank(RedisServer redis, string database)
    {
        (Redis, _database, _accounts) = (redis, database, NpgsqlDataSource.Create(database));
        ToRedis = FaultProxy.Before(redis.Port);
        ToPostgres = FaultProxy.Before(new NpgsqlConnectionStringBuilder(database).Port);
    }

    public RedisServer Redis { get; }

    public FaultProxy ToRedis { get; }

    public FaultProxy ToPostgres { get; }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<Bank> OpenAsync(PostgresFixture postgres)
    {
        var database = await postgres.CreateDatabaseAsync(Ct);
        await using (var primary = new Primary(database)) await new ControlSchema(primary).UpgradeAsync(Ct);
        var bank = new Bank(await RedisServer.StartAsync(cancellationToken: Ct), database);
        await bank.Execute(
            $"""
            CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
            INSERT INTO account SELECT i, 1000 FROM generate_series(0, {AccountCount - 1}) i;
            CREATE TABLE history (seq bigserial PRIMARY KEY, low int NOT NULL, high int NOT NULL, token bigint NOT NULL);
            """);
        return bank;
    }

    /// <summary>A teller that makes one transfer and waits at the gate.</summary>
    public TestProcess Once(bool fence, int low, int high, Gate gate) => Start(fence, ToRedis.Port, "once", $"{low}", $"{high}", $"{gate}");

    /// <summary>A teller that never stops; <paramref name="redisPort"/>: not through the proxy.</summary>
    public TestProcess Forever(int seed, int? redisPort = null) => Start(fence: true, redisPort ?? ToRedis.Port, "forever", $"{AccountCount}", $"{seed}");

    /// <summary>Until a teller has made some more transfers.</summary>
    public static async Task ProgressAsync(TestProcess teller) =>
        await teller.WaitForLineAsync(line => line.StartsWith("done", StringComparison.Ordinal), ProgressTimeout, fromLine: teller.Lines.Count, cancellationToken: Ct);

    /// <summary>Until so much time has passed on Redis's clock, by which leases run out.</summary>
    public async Task PassAsync(TimeSpan duration)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(Redis.ConnectionString);
        var server = redis.GetServers()[0];
        var over = await server.TimeAsync() + duration;
        await Eventually.Async(async _ => await server.TimeAsync() >= over, cancellationToken: Ct);
    }

    /// <summary>A transfer of the test's own.</summary>
    public async Task Transfer(bool fence, int low, int high)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(Redis.ConnectionString);
        await using var locks = new RedisRangeLockManager(redis, new PostgresEpochStore(_accounts), new RedisRangeLockOptions { LeaseDuration = Lease });
        await new Teller(locks, _accounts, fence).Transfer(low, high, seed: 7, Gate.None, _ => { });
    }

    /// <summary>Keeps tellers at their gate until disposed.</summary>
    public async Task<NpgsqlConnection> CloseGate()
    {
        // Not pooled: a pooled connection keeps its session, and with it the lock, after it is disposed.
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_database) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Ct);
        await using var close = new NpgsqlCommand($"SELECT pg_advisory_lock({Teller.GateKey})", connection);
        await close.ExecuteNonQueryAsync(Ct);
        return connection;
    }

    public Task<long> Sum() => Scalar("SELECT sum(balance)::bigint FROM account");

    /// <summary>
    /// Pairs of transfers over common accounts whose tokens aren't in the order of the transfers. A guarded transaction keeps the next one of its range
    /// waiting, so the sequence that numbers the history has the order in which they really happened.
    /// </summary>
    public Task<long> Disorder() =>
        Scalar("SELECT count(*) FROM history AS a JOIN history AS b ON a.low < b.high AND b.low < a.high AND a.seq < b.seq AND a.token >= b.token");

    public async Task<long> Scalar(string sql)
    {
        await using var command = _accounts.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync(Ct))!;
    }

    public async ValueTask DisposeAsync()
    {
        await ToRedis.DisposeAsync();
        await ToPostgres.DisposeAsync();
        await _accounts.DisposeAsync();
        await Redis.DisposeAsync();
    }

    private TestProcess Start(bool fence, int redisPort, params string[] arguments) => TestProcess.Start("dotnet",
        ["exec", Path.Combine(AppContext.BaseDirectory, "DbSync.LockWorker.dll"), .. arguments],
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["WORKER_REDIS"] = $"127.0.0.1:{redisPort},abortConnect=false,asyncTimeout=2000",
            ["WORKER_POSTGRES"] = new NpgsqlConnectionStringBuilder(_database) { Port = ToPostgres.Port, CommandTimeout = 10 }.ConnectionString,
            ["WORKER_FENCE"] = fence ? "on" : "off",
            ["WORKER_LEASE_MS"] = Lease.TotalMilliseconds.ToString(),
        });

    private async Task Execute(string sql)
    {
        await using var command = _accounts.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Ct);
    }
}
