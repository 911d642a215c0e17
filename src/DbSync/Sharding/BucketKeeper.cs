namespace DbSync;

/// <summary>Deletes the rows of buckets that shards have given up, some at a time, so that nobody waits for it.</summary>
internal sealed class BucketKeeper(IReadOnlyList<ShardWorker> shards, TimeProvider time)
{
    private const int RowsAtOnce = 1000;

    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                foreach (var shard in shards)
                {
                    var leaving = await shard.InvokeAsync((applier, _) => applier.Leaving.Select(l => l.Table).ToList(), writes: false).WaitAsync(cancellationToken);
                    foreach (var table in leaving) await PurgeAsync(shard, table, cancellationToken);
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // A shard rolled back what it was given because its stream broke, or it stopped and says why.
            }
            await Task.Delay(LookInterval, time, cancellationToken);
        }
    }

    private async Task PurgeAsync(ShardWorker shard, TableSchema table, CancellationToken cancellationToken)
    {
        byte[]? after = null;
        do
        {
            var from = after;
            var begun = time.GetTimestamp();
            after = await shard.InvokeAsync((applier, _) => applier.Purge(table, from, RowsAtOnce), writes: true).WaitAsync(cancellationToken);
            await Task.Delay(time.GetElapsedTime(begun), time, cancellationToken); // half of the time is for changes
        }
        while (after is not null);
    }
}
