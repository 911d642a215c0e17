using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// Where the primary doesn't log its schema changes by itself: looks at its catalog regularly, and after a change has every table's shape
/// written into the log, so that it arrives at a place among the rows.
/// </summary>
internal sealed partial class SchemaWatch(IControlPlane control, string publication, TimeSpan interval, TimeProvider time, ILogger<SchemaWatch> logger) : IDisposable
{
    private readonly SemaphoreSlim _wake = new(0);
    private string? _seen;
    private bool _isRefused;

    /// <summary>A change that the primary could not log has come by.</summary>
    public void Wake()
    {
        if (_wake.CurrentCount == 0) _wake.Release();
    }

    public void Dispose() => _wake.Dispose();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var isAsked = await WaitAsync(cancellationToken);
            try
            {
                var state = await control.ReadCatalogAsync(publication, cancellationToken);
                if (isAsked || (!state.IsLogged && state.Fingerprint != _seen)) await control.LogSchemaAsync(cancellationToken);
                _seen = state.Fingerprint;
                _isRefused = false;
            }
            catch (DbSyncException exception)
            {
                if (!ErrorCodes.IsPassing(exception.Code) && !_isRefused) LogRefused(exception.Message);
                _isRefused |= !ErrorCodes.IsPassing(exception.Code);
                if (isAsked) Wake();
                await Task.Delay(interval, time, cancellationToken);
            }
        }
    }

    /// <summary>True when woken, false when the interval is over.</summary>
    private async Task<bool> WaitAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(interval, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await _wake.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    [LoggerMessage(1111, LogLevel.Warning, "Schema changes are only noticed with the next row of their table: {Reason}")]
    private partial void LogRefused(string reason);
}
