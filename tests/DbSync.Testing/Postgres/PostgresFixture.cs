using Xunit;

namespace DbSync.Testing;

/// <summary>
/// One server for all tests of an assembly: <c>[assembly: AssemblyFixture(typeof(PostgresFixture))]</c>, then a constructor parameter.
/// It starts when the first test asks, so that a run without server tests starts none.
/// </summary>
public class PostgresFixture : IAsyncLifetime
{
    private readonly SemaphoreSlim _starting = new(1, 1);
    private PostgresServer? _server;

    /// <summary>The shared server. Tests that stop it, or change its settings, start one of their own instead.</summary>
    public async Task<PostgresServer> GetServerAsync(CancellationToken cancellationToken = default)
    {
        await _starting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return _server ??= await PostgresServer.StartAsync(Options, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>An empty database of the test's own; returns its connection string.</summary>
    public async Task<string> CreateDatabaseAsync(CancellationToken cancellationToken = default)
    {
        var server = await GetServerAsync(cancellationToken).ConfigureAwait(false);
        return await server.CreateDatabaseAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync().ConfigureAwait(false);
        _starting.Dispose();
        GC.SuppressFinalize(this);
    }

    protected virtual PostgresServerOptions Options => new();
}
