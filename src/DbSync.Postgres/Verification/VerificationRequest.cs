namespace DbSync.Postgres;

/// <summary>A request to a node to hold its shards still at a position that equals a snapshot of the primary. Its row goes when disposed.</summary>
internal sealed class VerificationRequest : IAsyncDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);
    private readonly Primary _primary;
    private readonly Guid _id = Guid.NewGuid();

    private VerificationRequest(Primary primary) => _primary = primary;

    public static async Task<VerificationRequest> SendAsync(Primary primary, string node, CancellationToken cancellationToken)
    {
        var request = new VerificationRequest(primary);
        await primary.ExecuteAsync("INSERT INTO dbsync.verification (id, node) VALUES ($1, $2)", cancellationToken, request._id, node);
        return request;
    }

    /// <summary>Waits for the node's answer.</summary>
    /// <exception cref="DbSyncException">DBS5004 when the node could not hold, or nothing came in time.</exception>
    public async Task<HeldPosition> WaitAsync(TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        var startedAt = time.GetTimestamp();
        while (true)
        {
            var answer = await _primary.ScalarAsync<string>(
                "SELECT state || ' ' || coalesce(snapshot, '') || ' ' || coalesce(lsn::text, '') FROM dbsync.verification WHERE id = $1", cancellationToken, _id);
            var fields = answer.Split(' ');
            if (fields[0] == "ready") return new HeldPosition(fields[1], Lsn.Parse(fields[2]));
            if (fields[0] == "failed")
                throw new DbSyncException(
                    ErrorCodes.VerifyTimedOut, "The node found no position of its log that equals a snapshot of the primary.", "Run 'dbsync verify' again.");
            if (time.GetElapsedTime(startedAt) > limit)
                throw new DbSyncException(
                    ErrorCodes.VerifyTimedOut, "The node did not answer in time.",
                    "'dbsync status' shows whether it follows the primary and how far behind it is; run 'dbsync verify' again when it has caught up.");
            await Task.Delay(PollInterval, time, cancellationToken);
        }
    }

    /// <summary>Lets the node go on: both sides are open.</summary>
    public Task TakeAsync(CancellationToken cancellationToken) =>
        _primary.ExecuteAsync("UPDATE dbsync.verification SET state = 'taken' WHERE id = $1 AND state = 'ready'", cancellationToken, _id);

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _primary.ExecuteAsync("DELETE FROM dbsync.verification WHERE id = $1", CancellationToken.None, _id);
        }
        catch (DbSyncException)
        {
            // The primary is gone: the row stays and does no harm.
        }
    }
}

/// <summary>Where a node's shards stand still, and the snapshot of the primary that equals it.</summary>
internal sealed record HeldPosition(string Snapshot, Lsn Position);
