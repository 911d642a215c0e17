using System.Globalization;
using StackExchange.Redis;

namespace DbSync.Testing;

/// <summary>
/// A throw-away Redis server on a free port of 127.0.0.1, empty after each start unless it is persistent. It ends, and its files go,
/// when it is disposed or when the test process ends in any way.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private readonly IRedisHost _host;
    private readonly RedisServerOptions _options;

    private RedisServer(IRedisHost host, RedisServerOptions options) => (_host, _options) = (host, options);

    /// <summary>The default user, in StackExchange.Redis's form, allowed the administrative commands.</summary>
    public string ConnectionString => ConnectionStringFor(user: null, _options.Password);

    public int Port => _host.Port;

    /// <summary>The process id, 0 while it is down or in a container.</summary>
    public int ProcessId => _host.Process is { HasExited: false } running ? running.ProcessId : 0;

    public static async Task<RedisServer> StartAsync(RedisServerOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new RedisServerOptions();
        IRedisHost host = LocalRedis.IsInstalled
            ? await LocalRedis.StartNewAsync(options, cancellationToken).ConfigureAwait(false)
            : await ContainerRedis.StartNewAsync(options, cancellationToken).ConfigureAwait(false);
        return new RedisServer(host, options);
    }

    /// <summary>A connection string for one of the <see cref="RedisServerOptions.Users"/>.</summary>
    public string ConnectionStringFor(string? user, string? password) =>
        new ConfigurationOptions
        {
            EndPoints = { { _host.HostName, Port } },
            User = user,
            Password = password,
            Ssl = _options.Tls is not null,
            AllowAdmin = true,
            AbortOnConnectFail = false,
        }.ToString(includePassword: true);

    /// <summary>One command, as the default user, over a connection of its own.</summary>
    public async Task<RedisResult> ExecuteAsync(string command, params object[] arguments)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(ConnectionString).ConfigureAwait(false);
        return await connection.GetServer(connection.GetEndPoints(configuredOnly: true)[0]).ExecuteAsync(command, arguments).ConfigureAwait(false);
    }

    /// <summary>Deletes all keys, scripts and functions.</summary>
    public async Task FlushAsync()
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(ConnectionString).ConfigureAwait(false);
        var database = connection.GetDatabase();
        await database.ExecuteAsync("FLUSHALL").ConfigureAwait(false);
        await database.ExecuteAsync("SCRIPT", "FLUSH").ConfigureAwait(false);
        await database.ExecuteAsync("FUNCTION", "FLUSH").ConfigureAwait(false);
    }

    /// <summary>Stops it and starts it on the same port.</summary>
    public async Task RestartAsync(CancellationToken cancellationToken = default)
    {
        await StopAsync(cancellationToken).ConfigureAwait(false);
        await StartAgainAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>SIGTERM, and its end awaited.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => _host.StopAsync(cancellationToken);

    public Task StartAgainAsync(CancellationToken cancellationToken = default) => _host.StartAsync(cancellationToken);

    /// <summary>kill -9.</summary>
    public Task KillAsync(CancellationToken cancellationToken = default) => _host.KillAsync(cancellationToken);

    /// <summary>SIGSTOP: clients' connections stay open and nothing is answered.</summary>
    public void Pause() => Process.Pause();

    /// <summary>SIGCONT.</summary>
    public void Resume() => Process.Resume();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_host.HostName}:{Port}");

    private TestProcess Process => _host.Process ?? throw new NotSupportedException("The server runs in a container.");
}
