using System.Globalization;
using DbSync.Sqlite;

namespace DbSync.Cli.Running;

/// <summary>Waits for a request to copy again, and shows how far it is.</summary>
internal sealed class ResyncWatch(ToolConsole console, string directory, ResyncRequest request, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan TakenWithin = TimeSpan.FromSeconds(60);
    private readonly long _started = time.GetTimestamp();
    private string _said = "";

    /// <summary>The rows of the copy.</summary>
    public long Rows { get; private set; }

    public TimeSpan Elapsed => time.GetElapsedTime(_started);

    /// <exception cref="DbSyncException">DBS4051 when nobody takes the request, and what ended the node.</exception>
    /// <param name="isHere">Whether the node runs in this process, which takes the request when it has started.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task UntilDoneAsync(bool isHere, CancellationToken cancellationToken)
    {
        while (true)
        {
            var waiting = ResyncRequest.TryLoad(directory)?.Id == request.Id;
            if (!waiting && IsDone()) return;
            if (!isHere && DataDirectory.TryLock(directory) is { } free)
            {
                free.Dispose();
                var last = LiveStatus.TryLoad(directory);
                throw new DbSyncException(
                    last?.ErrorCode ?? ErrorCodes.ResyncNotTaken, $"The node has ended before the copy was done. {last?.Waiting}".TrimEnd(),
                    "'dbsync run' goes on with it.");
            }
            if (!isHere && waiting && Elapsed > TakenWithin && LiveStatus.TryLoad(directory) is not { Pipeline: PipelineState.Connecting })
                throw new DbSyncException(
                    ErrorCodes.ResyncNotTaken, "The process that holds the data directory does not take the request.", "It may be paused, or no 'dbsync run': the next one takes it.");
            await Task.Delay(Interval, time, cancellationToken);
        }
    }

    private bool IsDone()
    {
        var file = ReseedFile.Load(directory);
        var shards = request.Tables is null && file.Current is { } plan ? plan.Shards : NodeFile.Load(directory).Shards;
        var copies = new List<TableProgress>();
        var unread = false;
        foreach (var shard in shards.Where(s => File.Exists(Path.Combine(directory, s.File))))
        {
            using var view = new ShardView(directory, shard);
            if (request.Tables is null)
            {
                copies.AddRange(view.Progress());
                continue;
            }
            var beside = view.Progress(shadows: true).Where(t => request.Tables.Contains(t.Name, StringComparer.Ordinal)).ToList();
            var tables = view.Progress().Where(t => request.Tables.Contains(t.Name, StringComparer.Ordinal)).ToList();
            unread |= beside.Count > 0 || tables.Exists(t => t.State != TableState.Live);
            copies.AddRange(beside.Count > 0 ? beside : tables);
        }
        Rows = copies.Sum(t => t.Rows);
        Say(copies);
        return request.Tables is null ? file.LastRequest == request.Id && file.Current is null : !unread;
    }

    private void Say(List<TableProgress> copies)
    {
        var (done, all) = (copies.Sum(t => t.ChunksDone), copies.Sum(t => t.Chunks));
        var line = all == 0 ? "planning the copy" : string.Create(CultureInfo.InvariantCulture, $"{done} of {all} chunks, {Units.Count(Rows)} rows, {100.0 * done / all:0} %");
        if (line != _said) console.Say(line);
        _said = line;
    }
}
