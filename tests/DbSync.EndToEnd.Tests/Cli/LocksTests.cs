using System.Text.Json;
using DbSync.Locking;
using DbSync.Postgres;
using DbSync.Postgres.Locking;
using DbSync.Redis;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using Npgsql;
using StackExchange.Redis;

namespace DbSync.EndToEnd.Tests.Cli;

/// <summary>What an operator sees of locks, and what he may do about them, with the real tool.</summary>
[Trait("Needs", "Server")]
public sealed class LocksTests(PostgresFixture postgres, RedisFixture redis) : IAsyncLifetime
{
    private readonly string _prefix = RedisFixture.NewPrefix();
    private RedisServer _server = null!;
    private string _database = "";
    private NpgsqlDataSource _primary = null!;
    private ConnectionMultiplexer _connection = null!;
    private RedisRangeLockManager _locks = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await redis.GetServerAsync(Ct);
        _database = await postgres.CreateDatabaseAsync(Ct);
        await using (var primary = new Primary(_database)) await new ControlSchema(primary).UpgradeAsync(Ct);
        _primary = NpgsqlDataSource.Create(_database);
        _connection = await ConnectionMultiplexer.ConnectAsync(_server.ConnectionString);
        _locks = new RedisRangeLockManager(_connection, new PostgresEpochStore(_primary), new RedisRangeLockOptions { Prefix = _prefix, LeaseDuration = TimeSpan.FromSeconds(5) });
    }

    public async ValueTask DisposeAsync()
    {
        await _locks.DisposeAsync();
        await _connection.DisposeAsync();
        await _primary.DisposeAsync();
    }

    [Fact]
    public async Task Locks_are_listed_released_and_reset()
    {
        var held = await _locks.AcquireAsync("seats", KeyRange.HalfOpen(10, 20), LockMode.Exclusive, LockTesting.Someone(), Ct);
        await using var shared = await _locks.AcquireAsync("seats", KeyRange.AtLeast(40), LockMode.Shared, LockTesting.Someone(), Ct);
        var waiting = _locks.AcquireAsync("seats", [KeyRange.HalfOpen(0, 5), KeyRange.HalfOpen(15, 50)], LockMode.Exclusive, LockTesting.Someone(), Ct).AsTask();
        await LockTesting.UntilWaiting(_locks, "seats", 1);

        var listed = await Json(0, "list", "seats");
        var seats = listed.GetProperty("resources")[0];
        seats.GetProperty("name").GetString().ShouldBe("seats");
        seats.GetProperty("epoch").GetInt64().ShouldBe(held.FencingToken.Epoch);
        (seats.GetProperty("held").GetInt32(), seats.GetProperty("waiting").GetInt32()).ShouldBe((2, 1));
        (seats.GetProperty("conflicts").GetInt64(), seats.GetProperty("conflictsBound").GetInt64()).ShouldBe((2, 3));
        var rows = seats.GetProperty("locks").EnumerateArray().ToArray();
        rows[0].GetProperty("mode").GetString().ShouldBe("exclusive");
        rows[0].GetProperty("token").GetString().ShouldBe(held.FencingToken.ToString());
        rows[0].GetProperty("ranges")[0].GetProperty("text").GetString().ShouldBe("[10, 20)");
        rows[0].GetProperty("leaseLeftMs").GetDouble().ShouldBeInRange(1, 5_000);
        rows[2].GetProperty("held").GetBoolean().ShouldBeFalse();
        rows[2].GetProperty("waitsFor").EnumerateArray().Select(id => id.GetString())
            .ShouldBe([rows[0].GetProperty("id").GetString(), rows[1].GetProperty("id").GetString()]);

        var page = await Tool("list");
        page.ExitCode.ShouldBe(0, page.StandardError);
        page.StandardOutput.ShouldContain("seats: epoch 1, 2 held, 1 waiting, 2 conflicts of at most 3 (n(n-1)/2)");
        page.StandardOutput.Split('\n').Count(line => line.Contains('█', StringComparison.Ordinal)).ShouldBe(2, "the lock and the legend");
        page.StandardOutput.ShouldContain("[0, 5) [15, 50)");

        var id = rows[0].GetProperty("id").GetString()!;
        (await Tool("release", "seats", id)).ExitCode.ShouldBe(2, "it asks first, and there is nobody to ask");
        (await Json(0, "release", "seats", id, "--yes")).GetProperty("released").GetString().ShouldBe(id);
        await LockTesting.Lost(held);
        (await Json(1, "release", "seats", id, "--yes")).GetProperty("error").GetProperty("code").GetString().ShouldBe("DBS6011");
        await shared.DisposeAsync();
        var next = await waiting;

        var fence = new PostgresFence(_primary);
        await fence.RegisterAsync(next, Ct);
        var forged = new KnownLock("seats", LockMode.Exclusive, next.FencingToken.Epoch, FencingToken.SequenceMax, KeyRange.HalfOpen(0, 5));
        await fence.RegisterAsync(forged, Ct);
        var reset = await Json(0, "reset", "seats", "--yes");
        reset.GetProperty("epoch").GetInt64().ShouldBe(next.FencingToken.Epoch + 1);
        reset.GetProperty("fenceRowsRemoved").GetInt64().ShouldBe(2);
        await LockTesting.Lost(next);
        await using var after = await _locks.AcquireAsync("seats", KeyRange.Single(1), LockMode.Exclusive, LockTesting.Someone(), Ct);
        await fence.RegisterAsync(after, Ct);
    }

    [Fact]
    public async Task A_watch_draws_what_changes_until_it_is_stopped()
    {
        await using var watch = DbSyncTool.Start(["locks", "watch", "seats", "--prefix", _prefix], Environment());
        await watch.WaitForLineAsync(line => line.Contains("0 held", StringComparison.Ordinal), cancellationToken: Ct);
        await using var held = await _locks.AcquireAsync("seats", KeyRange.Single("köy\u001b[2J"), LockMode.Exclusive, LockTesting.Someone(), Ct);
        var drawn = await watch.WaitForLineAsync(line => line.Contains("held", StringComparison.Ordinal) && line.Contains("köy", StringComparison.Ordinal), cancellationToken: Ct);
        drawn.ShouldContain("\\u001B", Case.Sensitive, "a key must not draw on the terminal");
        watch.Interrupt();
        (await watch.WaitForExitAsync(cancellationToken: Ct)).ShouldBe(130);
    }

    [Fact]
    public async Task Failures_have_their_codes()
    {
        (await Tool("list", "--json")).ExitCode.ShouldBe(0);
        (await DbSyncTool.RunAsync(["locks", "list", "--json"], cancellationToken: Ct)).ExitCode.ShouldBe(2, "no Redis is named");
        var away = await DbSyncTool.RunAsync(["locks", "list", "--json", "--redis", "127.0.0.1:1,connectTimeout=500,connectRetry=1"], cancellationToken: Ct);
        away.ExitCode.ShouldBe(4, away.StandardError);
        JsonDocument.Parse(away.StandardOutput).RootElement.GetProperty("error").GetProperty("code").GetString().ShouldBe("DBS6005");
        (await Tool("release", "seats", "nonsense", "--yes")).ExitCode.ShouldBe(2);
        (await Tool("watch", "--json")).ExitCode.ShouldBe(2);
        (await Tool("frobnicate")).StandardError.ShouldContain("dbsync locks --help");
    }

    private Task<ProcessResult> Tool(params string[] arguments) =>
        DbSyncTool.RunAsync(["locks", .. arguments, "--prefix", _prefix], Environment(), cancellationToken: Ct);

    private async Task<JsonElement> Json(int exitCode, params string[] arguments)
    {
        var result = await Tool([.. arguments, "--json"]);
        result.ExitCode.ShouldBe(exitCode, result.StandardError);
        return JsonDocument.Parse(result.StandardOutput).RootElement;
    }

    private Dictionary<string, string?> Environment() => new(StringComparer.Ordinal) { ["DBSYNC_REDIS"] = _server.ConnectionString, ["DBSYNC_PRIMARY"] = _database };
}
