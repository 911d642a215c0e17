using Testcontainers.PostgreSql;

namespace DbSync.Testing;

/// <summary>A server in a container, for machines with a Docker engine and no PostgreSQL of their own.</summary>
internal sealed class ContainerPostgres : IPostgresHost
{
    private const string Image = "postgres:17-alpine";
    private const int InnerPort = 5432;

    private readonly PostgreSqlContainer _container;

    private ContainerPostgres(PostgreSqlContainer container, int port) => (_container, Port) = (container, port);

    public string HostName => _container.Hostname;

    public int Port { get; }

    public string? BinDirectory => null;

    public int? ProcessId => null;

    public string LogTail => "";

    public static async Task<ContainerPostgres> StartNewAsync(PostgresServerOptions options, CancellationToken cancellationToken)
    {
        if (options.BinDirectory is not null)
            throw new InvalidOperationException("A container brings its own programs: BinDirectory can't be chosen.");
        var settings = options.AllSettings().SelectMany(setting => new[] { "-c", $"{setting.Key}={setting.Value}" });

        // A port of our choice, so that it stays the same over a restart.
        var port = FreePort.Next();
        var container = new PostgreSqlBuilder(Image)
            .WithDatabase("postgres")
            .WithUsername("postgres")
            .WithEnvironment("POSTGRES_HOST_AUTH_METHOD", options.RequirePasswords ? "scram-sha-256" : "trust")
            .WithPortBinding(port, InnerPort)
            .WithCommand([.. settings])
            .Build();
        var server = new ContainerPostgres(container, port);
        await server.StartAsync(cancellationToken).ConfigureAwait(false);
        return server;
    }

    public Task StartAsync(CancellationToken cancellationToken) => _container.StartAsync(cancellationToken);

    public async Task StopAsync(ShutdownMode mode, CancellationToken cancellationToken)
    {
        // Ends the container's first process, and with it the container.
        var word = mode.ToString().ToLowerInvariant();
        await _container.ExecAsync(["su", "postgres", "-c", $"pg_ctl stop -W -D \"$PGDATA\" -m {word}"], cancellationToken).ConfigureAwait(false);
        await Eventually.Async(
            () => _container.State == DotNet.Testcontainers.Containers.TestcontainersStates.Exited,
            describe: () => $"the container is {_container.State}",
            cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    // The first process of a container can't be killed from inside; an immediate stop is the nearest crash.
    public Task KillAsync(CancellationToken cancellationToken) => StopAsync(ShutdownMode.Immediate, cancellationToken);

    public ValueTask DisposeAsync() => _container.DisposeAsync();
}
