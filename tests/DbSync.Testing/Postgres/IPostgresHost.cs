namespace DbSync.Testing;

/// <summary>Where a server runs: as a process of ours, or in a container.</summary>
internal interface IPostgresHost : IAsyncDisposable
{
    string HostName { get; }

    int Port { get; }

    string? BinDirectory { get; }

    /// <summary>The postmaster's id while it runs in a process of ours.</summary>
    int? ProcessId { get; }

    /// <summary>The end of the server's log, for messages.</summary>
    string LogTail { get; }

    Task StartAsync(CancellationToken cancellationToken);

    Task StopAsync(ShutdownMode mode, CancellationToken cancellationToken);

    Task KillAsync(CancellationToken cancellationToken);
}
