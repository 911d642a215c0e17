using DbSync.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;

namespace DbSync.Redis.Tests;

/// <summary>Encrypted, to a server whose certificate is checked, or not at all.</summary>
[Trait("Needs", "Server")]
public sealed class TlsTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Locks_work_over_TLS_when_the_authority_is_trusted_and_not_otherwise()
    {
        using var certificates = new TestCertificates();
        using var strangers = new TestCertificates();
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Tls = certificates, Password = "secret" }, Ct);
        await using (var redis = await RedisConnection.ConnectAsync($"localhost:{server.Port},password=secret,ssl=true,sslCa={certificates.AuthorityFile}", Ct))
        await using (var locks = new RedisRangeLockManager(redis, new InMemoryEpochStore()))
        await using (var held = await locks.AcquireAsync("seats", KeyRange.Single(1), LockMode.Exclusive, LockTesting.Someone(), Ct))
            held.FencingToken.Sequence.ShouldBe(1);

        await Unreachable($"localhost:{server.Port},password=secret,ssl=true,connectTimeout=1000");
        await Unreachable($"localhost:{server.Port},password=secret,ssl=true,connectTimeout=1000,sslCa={strangers.AuthorityFile}");
        await Unreachable($"localhost:{server.Port},password=secret,ssl=true,connectTimeout=1000,sslHost=redis.example,sslCa={certificates.AuthorityFile}");
        await Unreachable($"localhost:{server.Port},password=secret,connectTimeout=1000,connectRetry=1"); // it speaks TLS only: never tried in the clear
        await using var plain = await RedisServer.StartAsync(cancellationToken: Ct);
        await Unreachable($"localhost:{plain.Port},ssl=true,connectTimeout=1000,connectRetry=1,sslCa={certificates.AuthorityFile}"); // and never downgraded
    }

    [Theory]
    [InlineData("redis.example:6379")]
    [InlineData("10.1.2.3:6379,password=x")]
    [InlineData("localhost:6379,redis.example:6379")]
    [InlineData("localhost:6379,sslCa=/nowhere.pem")]
    [InlineData("localhost:6379,ssl=true,sslCa=/nowhere.pem")]
    [InlineData("localhost:6379,what=ever")]
    [InlineData("ssl=true")]
    public async Task Off_this_machine_it_must_be_said_whether_to_encrypt(string configuration)
    {
        var error = await Should.ThrowAsync<DbSyncException>(() => RedisConnection.ConnectAsync(configuration, Ct));
        error.Code.ShouldBe("DBS1001");
        error.Message.ShouldNotContain("password=x");
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1:6379,user=app")]
    [InlineData("redis.example:6379,ssl=false")]
    [InlineData("redis.example:6380,ssl=true")]
    public void What_is_clear_is_taken(string configuration) => RedisConnection.Parse(configuration).EndPoints.Count.ShouldBe(1);

    private static async Task Unreachable(string configuration) =>
        (await Should.ThrowAsync<DbSyncException>(() => RedisConnection.ConnectAsync(configuration, Ct))).Code.ShouldBe("DBS6005");
}
