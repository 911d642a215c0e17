using DbSync.Sqlite;

namespace DbSync.Cli.Status;

/// <summary>The copy beside the old files, as <c>status --json</c> shows it.</summary>
/// <param name="Cause">requested, slotMissing, slotLost, slotAhead, slotOverBudget, primaryChanged or fileDamaged.</param>
/// <param name="Code">The error's code; null when it was asked for.</param>
/// <param name="Reason">The same for people.</param>
/// <param name="Since">When it was begun.</param>
/// <param name="Try">Which copy for this cause it is, of those that count.</param>
/// <param name="ChunksDone">Chunks that are here.</param>
/// <param name="Chunks">Chunks that are planned so far.</param>
/// <param name="Rows">Rows that are here.</param>
internal sealed record ReseedReport(
    ReseedCause Cause, string? Code, string Reason, DateTimeOffset Since, int Try, int ChunksDone, int Chunks, long Rows)
{
    /// <summary>Reads how far it has come; null when there is none.</summary>
    public static ReseedReport? TryRead(string directory)
    {
        var file = ReseedFile.Load(directory);
        if (file.Current is not { } plan) return null;
        var progress = new List<TableProgress>();
        foreach (var shard in plan.Shards.Where(s => File.Exists(Path.Combine(directory, s.File))))
        {
            using var view = new ShardView(directory, shard);
            progress.AddRange(view.Progress());
        }
        return new ReseedReport(
            plan.Cause, plan.Code, plan.Reason, plan.Since, file.TriesOf(plan.Cause, DateTimeOffset.MinValue), progress.Sum(t => t.ChunksDone), progress.Sum(t => t.Chunks),
            progress.Sum(t => t.Rows));
    }
}
