using System.Globalization;

namespace DbSync.Testing;

/// <summary>A server from installed programs, in a directory of its own, started as a direct child so that its end is seen and nothing has to be polled for.</summary>
internal sealed class LocalPostgres(string binDirectory, PostgresServerOptions options) : IPostgresHost
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(60);

    private readonly string _directory = ProcessGuard.NewPath("pg");
    private TestProcess? _postmaster;

    public string HostName => "127.0.0.1";

    public int Port { get; private set; }

    public string? BinDirectory => binDirectory;

    public int? ProcessId => _postmaster is { HasExited: false } running ? running.ProcessId : null;

    public string LogTail => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(30)) : "";

    private string DataDirectory => Path.Combine(_directory, "data");

    private string LogFile => Path.Combine(_directory, "server.log");

    private string PidFile => Path.Combine(DataDirectory, "postmaster.pid");

    public static async Task<LocalPostgres> StartNewAsync(string binDirectory, PostgresServerOptions options, CancellationToken cancellationToken)
    {
        var server = new LocalPostgres(binDirectory, options);
        try
        {
            await server.CreateAsync(cancellationToken).ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_postmaster is { HasExited: false })
            throw new InvalidOperationException("The server is running.");
        var command = PostgresBinaries.Command(Path.Combine(binDirectory, "postgres"), "-D", DataDirectory);
        _postmaster = TestProcess.Start(
            "sh",
            ["-c", "exec \"$@\" >>\"$0\" 2>&1", LogFile, .. command],
            PostgresBinaries.Environment(binDirectory),
            _directory,
            guardSignal: "QUIT");
        var postmaster = _postmaster;
        await Eventually.Async(
            () => postmaster.HasExited || IsReady(postmaster.ProcessId),
            StartTimeout,
            () => $"PostgreSQL is starting; its log ends:\n{LogTail}",
            cancellationToken).ConfigureAwait(false);
        if (postmaster.HasExited)
            throw new InvalidOperationException($"PostgreSQL from {binDirectory} did not start; its log ends:\n{LogTail}");
    }

    public async Task StopAsync(ShutdownMode mode, CancellationToken cancellationToken)
    {
        if (_postmaster is not { HasExited: false } postmaster)
            return;
        postmaster.Signal(mode switch
        {
            ShutdownMode.Smart => Signals.Terminate,
            ShutdownMode.Fast => Signals.Interrupt,
            _ => Signals.Quit,
        });
        await postmaster.WaitForExitAsync(StopTimeout, cancellationToken).ConfigureAwait(false);
    }

    public async Task KillAsync(CancellationToken cancellationToken)
    {
        if (_postmaster is not { HasExited: false } postmaster)
            return;

        // Stopped first, it starts no child that the list would miss. A child that survives, busy, would keep the next start away.
        postmaster.Pause();
        var children = ChildrenOf(postmaster.ProcessId);
        postmaster.Kill();
        foreach (var child in children)
            Signals.Send(child, Signals.Kill);
        await postmaster.WaitForExitAsync(StopTimeout, cancellationToken).ConfigureAwait(false);
        await Eventually.Async(
            () => !children.Exists(TestProcess.IsAlive),
            StopTimeout,
            () => "killed server processes are still there",
            cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(ShutdownMode.Immediate, CancellationToken.None).ConfigureAwait(false);
        if (_postmaster is not null)
            await _postmaster.DisposeAsync().ConfigureAwait(false);
        await RemoveSharedMemoryAsync().ConfigureAwait(false);
        if (Directory.Exists(_directory))
            Directory.Delete(_directory, recursive: true);
    }

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        await PostgresTemplate.CreateServerDirectoryAsync(_directory, cancellationToken).ConfigureAwait(false);
        await PostgresTemplate.CopyToAsync(binDirectory, DataDirectory, cancellationToken).ConfigureAwait(false);
        var hosts = options.RequirePasswords ? "scram-sha-256" : "trust";
        await File.WriteAllTextAsync(
            Path.Combine(DataDirectory, "pg_hba.conf"),
            $"""
            local all         all      trust
            host  all         postgres 127.0.0.1/32 trust
            host  replication postgres 127.0.0.1/32 trust
            host  all         all      127.0.0.1/32 {hosts}
            host  replication all      127.0.0.1/32 {hosts}

            """,
            cancellationToken).ConfigureAwait(false);
        await File.AppendAllTextAsync(Path.Combine(DataDirectory, "postgresql.conf"), "include 'dbsync.conf'\n", cancellationToken).ConfigureAwait(false);

        const int attemptsMax = 5;
        for (var attempt = 1; ; attempt++)
        {
            Port = FreePort.Next();
            await WriteSettingsAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await StartAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (InvalidOperationException) when (attempt < attemptsMax && LogTail.Contains("could not create any TCP/IP sockets", StringComparison.Ordinal))
            {
                // Another process took the port between our look and PostgreSQL's: try the next.
            }
        }
    }

    private async Task WriteSettingsAsync(CancellationToken cancellationToken)
    {
        var settings = options.AllSettings()
            .Append(new("listen_addresses", HostName))
            .Append(new("port", Port.ToString(CultureInfo.InvariantCulture)))
            .Append(new("unix_socket_directories", _directory))
            .Select(setting => $"{setting.Key} = '{setting.Value.Replace("'", "''", StringComparison.Ordinal)}'");
        await File.WriteAllLinesAsync(Path.Combine(DataDirectory, "dbsync.conf"), settings, cancellationToken).ConfigureAwait(false);
    }

    // The eighth line of postmaster.pid is the postmaster's own word on its state; pg_ctl reads it too.
    private bool IsReady(int postmasterId)
    {
        if (!File.Exists(PidFile))
            return false;
        var lines = File.ReadAllLines(PidFile);
        return lines.Length >= 8 && lines[0] == postmasterId.ToString(CultureInfo.InvariantCulture) && lines[7].Trim() == "ready";
    }

    // A killed postmaster leaves its System V segment, which its next start would have taken over.
    private async Task RemoveSharedMemoryAsync()
    {
        if (!File.Exists(PidFile))
            return;
        var lines = await File.ReadAllLinesAsync(PidFile).ConfigureAwait(false);
        if (lines.Length >= 7 && lines[6].Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var segment])
            await ProcessRunner.RunAsync("ipcrm", ["-m", segment]).ConfigureAwait(false);
    }

    private static List<int> ChildrenOf(int processId) =>
        [.. File.ReadAllText($"/proc/{processId}/task/{processId}/children")
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(id => int.Parse(id, CultureInfo.InvariantCulture))];
}
