using DbSync.Postgres;
using DbSync.Sqlite;

namespace DbSync.Hosting;

/// <summary>Asks the node to stand still and opens both sides of a comparison while it does.</summary>
internal sealed class ComparisonOpener(Primary primary, NodeFile identity, string directory, TimeProvider time)
{
    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(60);
    private const int AttemptsMax = 5;

    /// <exception cref="DbSyncException">DBS5004 when the node does not answer, or let go too early each time.</exception>
    public async Task<Comparison> OpenAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            await using var request = await VerificationRequest.SendAsync(primary, identity.Node, cancellationToken);
            var held = await request.WaitAsync(AnswerMax, time, cancellationToken);
            if (await TryOpenAsync(held, cancellationToken) is not { } comparison) continue;
            await request.TakeAsync(cancellationToken);
            return comparison;
        }
        throw new DbSyncException(ErrorCodes.VerifyTimedOut, "The node let go each time before both sides were open.", "Run 'dbsync verify' again when the machine is less busy.");
    }

    /// <summary>Opens both sides; null when the node has gone on meanwhile.</summary>
    private async Task<Comparison?> TryOpenAsync(HeldPosition held, CancellationToken cancellationToken)
    {
        var there = await PrimaryDigests.OpenAsync(primary, held.Snapshot, identity.Publication, cancellationToken);
        if (there is null) return null;
        var shards = new List<ShardView>();
        try
        {
            foreach (var shard in identity.Shards) shards.Add(new ShardView(directory, shard));
            if (shards.Select(s => s.BeginSnapshot()).ToList().TrueForAll(p => p == held.Position)) return new Comparison(held.Position, there, shards);
        }
        catch
        {
            await new Comparison(held.Position, there, shards).DisposeAsync();
            throw;
        }
        await new Comparison(held.Position, there, shards).DisposeAsync();
        return null;
    }
}
