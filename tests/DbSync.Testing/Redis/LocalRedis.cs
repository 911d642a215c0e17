using System.Globalization;

namespace DbSync.Testing;

/// <summary>redis-server from PATH, in a directory of its own.</summary>
internal sealed class LocalRedis(RedisServerOptions options) : IRedisHost
{
    private const string Program = "redis-server";

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private readonly TemporaryDirectory _directory = new();

    public string HostName => "127.0.0.1";

    public int Port { get; private set; }

    public TestProcess? Process { get; private set; }

    /// <summary>Whether this machine has the program.</summary>
    public static bool IsInstalled =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Any(directory => File.Exists(Path.Combine(directory, Program)));

    public static async Task<LocalRedis> StartNewAsync(RedisServerOptions options, CancellationToken cancellationToken)
    {
        const int attemptsMax = 5;
        var server = new LocalRedis(options);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                server.Port = FreePort.Next();
                try
                {
                    await server.StartAsync(cancellationToken).ConfigureAwait(false);
                    return server;
                }
                catch (InvalidOperationException exception)
                    when (attempt < attemptsMax && exception.Message.Contains("Address already in use", StringComparison.Ordinal))
                {
                    // Another process took the port between our look and Redis's: try the next.
                }
            }
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (Process is { HasExited: false })
            throw new InvalidOperationException("The server is running.");
        IEnumerable<string> own =
        [
            $"bind {HostName}",
            $"dir {_directory.Path}",
            "daemonize no",
            "enable-debug-command local",
        ];
        var configuration = _directory["redis.conf"];
        await File.WriteAllLinesAsync(configuration, own.Concat(options.Lines(Port)), cancellationToken).ConfigureAwait(false);
        if (Process is not null)
            await Process.DisposeAsync().ConfigureAwait(false);
        Process = TestProcess.Start(Program, [configuration], workingDirectory: _directory.Path);
        await Process.WaitForLineAsync(
            line => line.Contains("Ready to accept connections", StringComparison.Ordinal),
            StartTimeout,
            cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    public Task StopAsync(CancellationToken cancellationToken) => EndAsync(process => process.Terminate(), cancellationToken);

    public Task KillAsync(CancellationToken cancellationToken) => EndAsync(process => process.Kill(), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (Process is not null)
            await Process.DisposeAsync().ConfigureAwait(false);
        _directory.Dispose();
    }

    private async Task EndAsync(Action<TestProcess> signal, CancellationToken cancellationToken)
    {
        if (Process is not { HasExited: false } process)
            return;
        signal(process);
        await process.WaitForExitAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
    }
}
