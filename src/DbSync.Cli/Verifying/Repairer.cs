using DbSync.Cli.Running;
using DbSync.Hosting;

namespace DbSync.Cli.Verifying;

/// <summary>Has the node mend what a comparison found: rows by their keys, and a whole table where that can't be.</summary>
internal sealed class Repairer(ToolConsole console, string directory, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan TakenWithin = TimeSpan.FromSeconds(60);

    /// <summary>The tables that were copied again.</summary>
    public HashSet<string> CopiedAgain { get; } = new(StringComparer.Ordinal);

    /// <param name="differing">What was found.</param>
    /// <param name="isHere">Whether the node runs in this process.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="DbSyncException">DBS4051 when nobody takes the request.</exception>
    public async Task MendAsync(IReadOnlyList<TableComparison> differing, bool isHere, CancellationToken cancellationToken)
    {
        var again = differing.Where(t => !t.IsWhole).Select(t => t.Verdict.Name).ToList();
        var byKey = differing.Where(t => t.IsWhole && t.Keys.Count > 0).ToDictionary(t => t.Verdict.Name, t => t.Damage, StringComparer.Ordinal);
        if (byKey.Count > 0)
        {
            console.Say($"Reading {Units.Count(byKey.Values.Sum(d => d.Keys.Count))} rows again.");
            var answer = await AskAsync(new RepairRequest(Guid.NewGuid().ToString("n"), byKey), isHere, cancellationToken);
            again.AddRange(answer.Failed.Where(f => f.Value is ErrorCodes.SchemaChanged or ErrorCodes.StatementRefused).Select(f => f.Key));
        }
        if (again.Count == 0) return;
        CopiedAgain.UnionWith(again);
        console.Say($"Copying {string.Join(", ", again)} again: the rows can't be read by their keys, or too many differ.");
        var request = new ResyncRequest(Guid.NewGuid().ToString("n"), again, time.GetUtcNow());
        var watch = new ResyncWatch(console, directory, request, time);
        request.Save(directory);
        await watch.UntilDoneAsync(isHere, cancellationToken);
    }

    private async Task<RepairAnswer> AskAsync(RepairRequest request, bool isHere, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        request.Save(directory);
        while (true)
        {
            if (RepairAnswer.TryLoad(directory) is { } answer && answer.Id == request.Id) return answer;
            if (!isHere && DataDirectory.TryLock(directory) is { } free)
            {
                free.Dispose();
                RepairRequest.Delete(directory);
                var last = LiveStatus.TryLoad(directory);
                throw new DbSyncException(last?.ErrorCode ?? ErrorCodes.ResyncNotTaken, $"The node has ended before the rows were read again. {last?.Waiting}".TrimEnd(), "Run 'dbsync verify --repair' again.");
            }
            if (time.GetElapsedTime(started) > TakenWithin && RepairRequest.TryLoad(directory)?.Id == request.Id && LiveStatus.TryLoad(directory) is not { Pipeline: PipelineState.Streaming })
            {
                RepairRequest.Delete(directory);
                throw new DbSyncException(ErrorCodes.ResyncNotTaken, "The process that holds the data directory does not take the request.", "Run 'dbsync verify --repair' again when 'dbsync status' shows it as streaming.");
            }
            await Task.Delay(Interval, time, cancellationToken);
        }
    }
}
