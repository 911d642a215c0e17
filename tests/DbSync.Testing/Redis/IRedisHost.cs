namespace DbSync.Testing;

/// <summary>Where a Redis server runs: as a process of ours, or in a container.</summary>
internal interface IRedisHost : IAsyncDisposable
{
    string HostName { get; }

    int Port { get; }

    TestProcess? Process { get; }

    Task StartAsync(CancellationToken cancellationToken);

    Task StopAsync(CancellationToken cancellationToken);

    Task KillAsync(CancellationToken cancellationToken);
}
