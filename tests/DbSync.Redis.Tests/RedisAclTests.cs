using DbSync.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

/// <summary>S09: the rules that <c>dbsync explain DBS6007</c> prints are enough, and each missing one is named.</summary>
[Trait("Needs", "Server")]
public sealed class RedisAclTests
{
    private const string Rules = "on >secret resetkeys resetchannels ~dbsync:lock:* &dbsync:lock:* -@all ";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>The commands of the page itself, so that what is documented is what is tested.</summary>
    private static string Documented
    {
        get
        {
            var page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "DBS6007.md"));
            var start = page.IndexOf("-@all", StringComparison.Ordinal) + "-@all".Length;
            return string.Join(' ', page[start..page.IndexOf('`', start)].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
    }

    [Fact]
    public async Task The_documented_rules_are_enough()
    {
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Password = "admin", Users = [$"app {Rules}{Documented}"] }, Ct);
        await using var connection = await Connect(server);
        await using var locks = Manager(connection);
        var held = await locks.AcquireAsync("seats", KeyRange.HalfOpen(1, 5), LockMode.Shared, LockTesting.Someone(), Ct);
        (await held.TryUpgradeAsync(Ct)).ShouldBeTrue();
        var waiting = locks.AcquireAsync("seats", KeyRange.Single(2), LockMode.Exclusive, LockTesting.Someone(), Ct).AsTask();
        await LockTesting.UntilWaiting(locks, "seats", 1);
        await held.DowngradeAsync(Ct);
        await held.DisposeAsync();
        await using var next = await waiting;
        var entry = (await locks.Inspector.SnapshotAsync("seats", Ct)).Entries.Single();
        await locks.Inspector.ReleaseAsync("seats", entry.Id, Ct);
        await LockTesting.Lost(next);
        await locks.Inspector.ResetAsync("seats", Ct);
        (await locks.Inspector.ListResourcesAsync(Ct)).ShouldBe([new LockResource("seats")]);
    }

    [Theory]
    [InlineData("+fcall", "fcall")]
    [InlineData("+function|load", "function")]
    [InlineData("+zadd", "ZADD")]
    [InlineData("+publish", "PUBLISH")]
    public async Task A_missing_rule_is_refused_by_code(string without, string named)
    {
        var rules = Documented.Replace(without, "", StringComparison.Ordinal);
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Password = "admin", Users = [$"app {Rules}{rules}"] }, Ct);
        await using var connection = await Connect(server);
        await using var locks = Manager(connection);
        var error = await Should.ThrowAsync<DbSyncException>(
            async () => await locks.AcquireAsync("seats", KeyRange.Single(1), LockMode.Exclusive, LockTesting.Someone(), Ct));
        error.Code.ShouldBe("DBS6007", error.ToString());
        error.Message.ShouldContain(named);
    }

    [Fact]
    public async Task Another_prefix_than_the_rules_name_is_refused()
    {
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Password = "admin", Users = [$"app {Rules}{Documented}"] }, Ct);
        await using var connection = await Connect(server);
        await using var locks = new RedisRangeLockManager(connection, new InMemoryEpochStore(), new RedisRangeLockOptions { Prefix = "other" });
        var error = await Should.ThrowAsync<DbSyncException>(
            async () => await locks.AcquireAsync("seats", KeyRange.Single(1), LockMode.Exclusive, LockTesting.Someone(), Ct));
        error.Code.ShouldBe("DBS6007");
    }

    private static RedisRangeLockManager Manager(IConnectionMultiplexer connection) =>
        new(connection, new InMemoryEpochStore(), new RedisRangeLockOptions { LeaseDuration = TimeSpan.FromSeconds(1) });

    private static async Task<ConnectionMultiplexer> Connect(RedisServer server)
    {
        var options = ConfigurationOptions.Parse(server.ConnectionStringFor("app", "secret"));
        options.AllowAdmin = false;
        options.ConfigurationChannel = "";
        return await ConnectionMultiplexer.ConnectAsync(options);
    }
}
