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

    /// <summary>Each rule of the page is taken away in turn; those that only the driver's own handshake uses, or only an inspector, are allowed to go unnoticed.</summary>
    [Fact]
    public async Task Each_missing_rule_is_refused_by_name()
    {
        string[] unnoticed = ["+ping", "+echo", "+client|setname", "+client|id", "+unsubscribe", "+smembers"];
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Password = "admin" }, Ct);
        var rules = Documented.Split(' ');
        rules.Length.ShouldBeGreaterThan(20);
        var silent = new List<string>();
        for (var i = 0; i < rules.Length; i++)
        {
            await server.ExecuteAsync("FUNCTION", "FLUSH");
            await server.ExecuteAsync("ACL", ["SETUSER", $"u{i}", .. Rules.Split(' ', StringSplitOptions.RemoveEmptyEntries), .. rules.Where((_, r) => r != i)]);
            try
            {
                await using var connection = await Connect(server, $"u{i}");
                await using var locks = Manager(connection);
                await using var held = await locks.AcquireAsync("seats", KeyRange.Single(1), LockMode.Exclusive, LockTesting.Someone() with { WaitTimeout = TimeSpan.FromSeconds(2) }, Ct);
                silent.Add(rules[i]);
            }
            catch (DbSyncException error) when (error.Code == "DBS6007")
            {
                error.Message.ShouldContain(rules[i][1..].Split('|')[0], Case.Insensitive);
            }
            catch (Exception failure) when (failure is RedisConnectionException or DbSyncException { Code: "DBS6005" } && unnoticed.Contains(rules[i]))
            {
                // The driver itself couldn't do without it, and got no connection.
            }
        }

        silent.Except(unnoticed, StringComparer.Ordinal).ShouldBeEmpty();
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

    private static async Task<ConnectionMultiplexer> Connect(RedisServer server, string user = "app")
    {
        var options = ConfigurationOptions.Parse(server.ConnectionStringFor(user, "secret"));
        options.AllowAdmin = false;
        options.ConfigurationChannel = "";
        return await ConnectionMultiplexer.ConnectAsync(options);
    }
}
