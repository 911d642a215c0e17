using Xunit;

namespace DbSync.Testing;

/// <summary>
/// One Redis for all tests of an assembly: <c>[assembly: AssemblyFixture(typeof(RedisFixture))]</c>, then a constructor parameter.
/// It starts when the first test asks. Tests run in parallel on it, so each takes its keys from <see cref="NewPrefix"/>.
/// </summary>
public sealed class RedisFixture : IAsyncLifetime
{
    private readonly SemaphoreSlim _starting = new(1, 1);
    private RedisServer? _server;

    /// <summary>The shared server. Tests that stop it, or change its settings, start one of their own instead.</summary>
    public async Task<RedisServer> GetServerAsync(CancellationToken cancellationToken = default)
    {
        await _starting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return _server ??= await RedisServer.StartAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>A key prefix (or namespace) no other test has.</summary>
    public static string NewPrefix() => $"test-{Random.Shared.GetHexString(12, lowercase: true)}";

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync().ConfigureAwait(false);
        _starting.Dispose();
    }
}
