using System.Globalization;

namespace DbSync.Testing;

/// <summary>A real Sentinel watching a primary and its replica; it promotes the replica soon after the primary is gone.</summary>
public sealed class RedisSentinel : IAsyncDisposable
{
    public const string Service = "main";

    private readonly TemporaryDirectory _directory = new();
    private TestProcess? _process;

    private RedisSentinel(RedisServer primary, RedisServer replica) => (Primary, Replica) = (primary, replica);

    public RedisServer Primary { get; }

    public RedisServer Replica { get; }

    public int Port { get; } = FreePort.Next();

    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port},serviceName={Service},allowAdmin=true");

    public static async Task<RedisSentinel> StartAsync(CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["repl-diskless-sync-delay"] = "0" };
        var primary = await RedisServer.StartAsync(new RedisServerOptions { Settings = settings }, cancellationToken).ConfigureAwait(false);
        var replica = await RedisServer.StartAsync(new RedisServerOptions { Settings = settings }, cancellationToken).ConfigureAwait(false);
        var sentinel = new RedisSentinel(primary, replica);
        await replica.ExecuteAsync("REPLICAOF", "127.0.0.1", primary.Port).ConfigureAwait(false);
        await Eventually.Async(
            async _ => ((string)(await replica.ExecuteAsync("INFO", "replication").ConfigureAwait(false))!).Contains("master_link_status:up", StringComparison.Ordinal),
            cancellationToken: cancellationToken).ConfigureAwait(false);
        var configuration = sentinel._directory["sentinel.conf"];
        await File.WriteAllLinesAsync(
            configuration,
            [
                string.Create(CultureInfo.InvariantCulture, $"port {sentinel.Port}"), "bind 127.0.0.1", $"dir {sentinel._directory.Path}",
                string.Create(CultureInfo.InvariantCulture, $"sentinel monitor {Service} 127.0.0.1 {primary.Port} 1"),
                $"sentinel down-after-milliseconds {Service} 500", $"sentinel failover-timeout {Service} 3000",
            ],
            cancellationToken).ConfigureAwait(false);
        sentinel._process = TestProcess.Start("redis-server", [configuration, "--sentinel"], workingDirectory: sentinel._directory.Path);
        await sentinel._process.WaitForLineAsync(line => line.Contains("+slave slave", StringComparison.Ordinal), cancellationToken: cancellationToken).ConfigureAwait(false);
        return sentinel;
    }

    /// <summary>Until Sentinel has made another server the primary.</summary>
    public Task UntilSwitchedAsync(CancellationToken cancellationToken) =>
        _process!.WaitForLineAsync(line => line.Contains("+switch-master", StringComparison.Ordinal), TimeSpan.FromSeconds(60), cancellationToken: cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync().ConfigureAwait(false);
        await Replica.DisposeAsync().ConfigureAwait(false);
        await Primary.DisposeAsync().ConfigureAwait(false);
        _directory.Dispose();
    }
}
