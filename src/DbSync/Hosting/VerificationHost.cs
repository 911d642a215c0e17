using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// Answers those who want to compare this node with the primary: holds the shards still at the position that equals a snapshot of the
/// primary, for as long as it takes the other to open both. Requests arrive through the change log.
/// </summary>
internal sealed partial class VerificationHost(string node, IControlPlane control, Standstill standstill, TimeProvider time, ILogger<VerificationHost> logger) : IDisposable
{
    private readonly SemaphoreSlim _wake = new(1);

    /// <summary>Something of DbSync's own came by in the log: perhaps a request.</summary>
    public void Wake()
    {
        if (_wake.CurrentCount == 0) _wake.Release();
    }

    public void Dispose() => _wake.Dispose();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await _wake.WaitAsync(cancellationToken);
            try
            {
                foreach (var verification in await control.OpenVerificationsAsync(node, cancellationToken))
                    await ServeAsync(verification, cancellationToken);
            }
            catch (DbSyncException exception)
            {
                LogFailed(exception.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(200), time, cancellationToken);
            }
        }
    }

    private async Task ServeAsync(Guid verification, CancellationToken cancellationToken)
    {
        var served = await standstill.TryAsync(
            [],
            async (snapshot, held, token) =>
            {
                await control.AnswerAsync(verification, snapshot, held, token);
                await control.WaitUntilTakenAsync(verification, token);
            },
            () => LogFailed("the hold took too long"),
            cancellationToken);
        if (!served) await control.AnswerAsync(verification, null, Lsn.Zero, cancellationToken);
    }

    [LoggerMessage(5301, LogLevel.Warning, "A verification could not be served: {Reason}")]
    private partial void LogFailed(string reason);
}
