using System.Text;
using Testcontainers.Redis;

namespace DbSync.Testing;

/// <summary>A Redis server in a container, for machines with a Docker engine and no Redis of their own.</summary>
internal sealed class ContainerRedis : IRedisHost
{
    private const string Image = "redis:7-alpine";
    private const string Configuration = "/etc/dbsync-redis.conf";
    private const int InnerPort = 6379;

    private readonly RedisContainer _container;

    private ContainerRedis(RedisContainer container, int port) => (_container, Port) = (container, port);

    public string HostName => _container.Hostname;

    public int Port { get; }

    public TestProcess? Process => null;

    public static async Task<ContainerRedis> StartNewAsync(RedisServerOptions options, CancellationToken cancellationToken)
    {
        // A port of our choice, so that it stays the same over a restart.
        var port = FreePort.Next();
        var lines = string.Join('\n', options.Lines(InnerPort).Prepend("bind 0.0.0.0").Prepend("protected-mode no")) + "\n";
        var container = new RedisBuilder(Image)
            .WithPortBinding(port, InnerPort)
            .WithResourceMapping(Encoding.UTF8.GetBytes(lines), Configuration)
            .WithCommand("redis-server", Configuration)
            .Build();
        var server = new ContainerRedis(container, port);
        await server.StartAsync(cancellationToken).ConfigureAwait(false);
        return server;
    }

    public Task StartAsync(CancellationToken cancellationToken) => _container.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => _container.StopAsync(cancellationToken);

    // The first process of a container can't be killed from inside; nothing was saved, so the effect is the same.
    public Task KillAsync(CancellationToken cancellationToken) => _container.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => _container.DisposeAsync();
}
