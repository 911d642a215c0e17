using DbSync.Testing;
using StackExchange.Redis;

namespace DbSync.EndToEnd.Tests.Fixtures;

[Trait("Needs", "Server")]
public sealed class RedisServerTests(RedisFixture redis)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Shared_server_has_functions_and_is_the_same_for_everyone()
    {
        var server = await redis.GetServerAsync(Cancellation);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(server.ConnectionString);

        connection.GetServer(connection.GetEndPoints()[0]).Version.Major.ShouldBeGreaterThanOrEqualTo(7);
        (await redis.GetServerAsync(Cancellation)).ShouldBeSameAs(server);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Comes_back_on_its_port_with_data_only_if_persistent(bool persistent)
    {
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Persistent = persistent }, Cancellation);
        var port = server.Port;
        (await ExecuteAsync(server.ConnectionString, "SET", "key", "value")).ToString().ShouldBe("OK");

        await server.KillAsync(Cancellation);
        server.ProcessId.ShouldBe(0);
        await server.StartAgainAsync(Cancellation);
        await server.RestartAsync(Cancellation);

        server.Port.ShouldBe(port);
        (await ExecuteAsync(server.ConnectionString, "EXISTS", "key")).ToString().ShouldBe(persistent ? "1" : "0");
    }

    [Fact]
    public async Task Users_and_limits_reach_the_server()
    {
        await using var server = await RedisServer.StartAsync(
            new RedisServerOptions { MaxMemoryMb = 8, Password = "admin", Users = ["app on >secret ~app:* +@all"] },
            Cancellation);

        (await ExecuteAsync(server.ConnectionString, "CONFIG", "GET", "maxmemory"))[1].ToString().ShouldBe("8388608");
        var app = server.ConnectionStringFor("app", "secret");
        (await ExecuteAsync(app, "SET", "app:1", "x")).ToString().ShouldBe("OK");
        (await Should.ThrowAsync<RedisServerException>(() => ExecuteAsync(app, "SET", "other", "x"))).Message.ShouldStartWith("NOPERM");
    }

    private static async Task<RedisResult> ExecuteAsync(string connectionString, string command, params object[] arguments)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(connectionString);
        return await connection.GetDatabase().ExecuteAsync(command, arguments);
    }
}
