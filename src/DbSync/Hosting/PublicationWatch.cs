using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// Takes tables that are published while the node runs, and lets go of those that no longer are. The stream announces a table only with its
/// next change, and says nothing of one that leaves; so the publication itself is looked at.
/// </summary>
/// <remarks>
/// What was seen is acted on once the shards have passed the position read after it: an older change of a table that left can't bring it
/// back then, and a change of a table that came has started it already. What a table missed while the publication left it out is in no log;
/// its entry in the publication is another one then, and it is copied again.
/// </remarks>
internal sealed partial class PublicationWatch(
    IChangeSource source, ICopySource positions, IReadOnlyList<ShardWorker> shards, PositionWaiter applied, TimeSpan interval, TimeProvider time,
    ILogger<PublicationWatch> logger)
{
    /// <exception cref="DbSyncException">DBS2013 when the publication is gone, and what else needs a person.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(interval, time, cancellationToken);
            try
            {
                await LookAsync(cancellationToken);
            }
            catch (DbSyncException exception) when (ErrorCodes.IsPassing(exception.Code))
            {
                // The pipeline reports a primary that is away; the next look comes soon.
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // A shard rolled back what it was given because its stream broke, or it stopped and says why.
            }
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var entries = await source.ReadEntriesAsync(cancellationToken);
        var seen = await Task.WhenAll(shards.Select(s => s.InvokeAsync(
            (applier, _) => applier.Tables.ToDictionary(t => t.Schema.Id, t => t.Schema.Entry), writes: false)));
        if (seen.All(here => here.Count == entries.Count && entries.All(e => here.TryGetValue(e.Key, out var entry) && entry == e.Value))) return;

        var looked = await positions.SnapshotAsync(cancellationToken);
        var published = await source.DescribeAsync(cancellationToken);
        var fence = await positions.InsertPositionAsync(cancellationToken);
        await applied.WaitAsync(fence, cancellationToken);
        var started = new HashSet<string>(StringComparer.Ordinal);
        var dropped = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < shards.Count; i++)
        {
            var before = seen[i];
            var changed = await shards[i].InvokeAsync((applier, _) => applier.Align(published, before, looked), writes: true);
            started.UnionWith(changed.Started.Select(t => t.ReplicaName));
            dropped.UnionWith(changed.Dropped.Select(t => t.ReplicaName));
        }
        foreach (var table in started) LogStarted(table);
        foreach (var table in dropped.Except(started, StringComparer.Ordinal)) LogDropped(table);
    }

    [LoggerMessage(1101, LogLevel.Information, "{Table} was published: it is copied")]
    private partial void LogStarted(string table);

    [LoggerMessage(1102, LogLevel.Information, "{Table} is published no longer: it was dropped here")]
    private partial void LogDropped(string table);
}
