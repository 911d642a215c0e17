using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// Answers those who want to compare this node with the primary: holds the shards still at the position that equals a snapshot of the
/// primary, for as long as it takes the other to open both. Requests arrive through the change log.
/// </summary>
internal sealed partial class VerificationHost(
    string node, IControlPlane control, PositionHold hold, PositionWaiter positions, TimeSpan holdMax, TimeProvider time, ILogger<VerificationHost> logger) : IDisposable
{
    private const int AttemptsMax = 20;
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
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            using var limit = new CancellationTokenSource(holdMax, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                hold.Freeze();
                await using var snapshot = await control.TakeSnapshotAsync(both.Token);
                var holding = hold.HoldAsync(snapshot.Snapshot, snapshot.InsertedUpTo);
                await control.BeatAsync(node, both.Token); // a commit that the snapshot can't see, so that the log goes past it
                var position = await holding.WaitAsync(both.Token);
                if (position is not { } held) continue;
                await positions.WaitAsync(held, both.Token);
                await control.AnswerAsync(verification, snapshot, held, both.Token);
                await control.WaitUntilTakenAsync(verification, both.Token);
                return;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                LogFailed("the hold took too long");
            }
            finally
            {
                hold.Release();
            }
        }
        await control.AnswerAsync(verification, null, Lsn.Zero, cancellationToken);
    }

    [LoggerMessage(5301, LogLevel.Warning, "A verification could not be served: {Reason}")]
    private partial void LogFailed(string reason);
}
