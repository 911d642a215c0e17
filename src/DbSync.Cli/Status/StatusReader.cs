using System.Diagnostics;
using DbSync.Sqlite;

namespace DbSync.Cli.Status;

/// <summary>
/// Puts a node's status together from three sides: what the process says (<c>status.json</c>), what the shards hold, and what the primary
/// says of the slot. Each side may be missing.
/// </summary>
internal sealed class StatusReader(NodeFile node, string directory, Func<CancellationToken, Task<(PrimaryView? View, string? Why)>> primary, TimeProvider time)
{
    /// <summary>A process that has not spoken for so long stands still, or is gone.</summary>
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(10);

    private static readonly DelayStatus.Quantiles Unknown = new(null, null);

    public async Task<StatusReport> ReadAsync(CancellationToken cancellationToken)
    {
        var identity = NodeFile.TryLoad(directory) ?? node; // its files may have been swapped since
        var live = LiveStatus.TryLoad(directory);
        var running = live is not null && IsRunning(live);
        var (view, unanswered) = await primary(cancellationToken);
        var (shards, tables) = ReadShards(identity);
        var reseed = ReseedReport.TryRead(directory);
        var state = identity.StaleSince is not null && running ? "stale" : StateOf(live, running, tables);
        var applied = running && reseed is null ? Lsn.Parse(live!.AppliedLsn) : shards.Count == 0 ? Lsn.Zero : shards.Min(s => s.Position);
        var primaryLsn = view?.Position ?? (live is null ? null : Lsn.Parse(live.PrimaryLsn));
        return new StatusReport
        {
            Replica = identity.Replica,
            Node = identity.Node,
            State = state,
            AppliedLsn = applied.ToString(),
            DurableLsn = live?.DurableLsn,
            AcknowledgedLsn = view?.Confirmed?.ToString() ?? live?.AcknowledgedLsn,
            PrimaryLsn = primaryLsn?.ToString(),
            LagMs = identity.StaleSince is { } stale ? (time.GetUtcNow() - stale).TotalMilliseconds : Lag(live, running),
            LagBytes = primaryLsn is { } now ? Lsn.BytesBetween(now, applied) : null,
            Delay = live?.Delay ?? new DelayStatus(Unknown, Unknown, Unknown, Unknown),
            Slot = view?.Slot is { } slot ? slot.With(running ? live!.Slot : null) : null,
            StaleSince = identity.StaleSince,
            Resync = reseed,
            Proof = ProofReport.Of(ProofFile.Load(directory, identity), [.. tables.Select(t => t.Name)], time.GetUtcNow()),
            Shards = [.. shards.Select(s => s.Report with
            {
                State = running || s.Report.State == "copying" ? s.Report.State : state,
                Freshness = live?.Freshness.GetValueOrDefault(s.Report.Id),
            })],
            Tables = running ? [.. tables.Select(t => t with { Copy = live!.Tables.FirstOrDefault(c => c.Table == t.Name) })] : tables,
            Counters = new CounterReport(live?.Transactions, live?.Rows, live?.Reconnects),
            ProcessId = running ? live!.ProcessId : null,
            UpdatedAt = live?.UpdatedAt,
            Waiting = live?.Waiting,
            ErrorCode = live?.ErrorCode,
            Hint = running && IsSilent(live!) ? "The process holds the data directory and has not spoken for a while: is it paused?" : Hint(state, view, unanswered, reseed),
        };
    }

    /// <summary>What to do next, the most urgent first.</summary>
    private static string? Hint(string state, PrimaryView? view, string? unanswered, ReseedReport? reseed) => (state, view?.Slot.WalStatus) switch
    {
        _ when reseed is not null && state is not ("stopped" or "failed") =>
            "Everything is copied again beside the old files, which can be read meanwhile, as of 'applied'.",
        ("stopped", "missing" or "lost") => "The slot is gone: 'dbsync run' copies everything again, beside the files that are here.",
        (_, "unreserved") => "The slot is about to be given up: the node must catch up, or max_slot_wal_keep_size be raised.",
        _ when unanswered is not null => $"What is shown is what this machine knows. {unanswered}",
        ("failed", _) => "The node ended because of an error that needs a person: mend it, then start 'dbsync run'.",
        ("stopped", _) => "No node runs here: start 'dbsync run'. Meanwhile the primary keeps log for it.",
        _ => null,
    };

    private string StateOf(LiveStatus? live, bool running, IReadOnlyList<TableReport> tables) => live switch
    {
        { Pipeline: PipelineState.Failed } => "failed",
        null => "stopped",
        _ when !running => "stopped",
        { Pipeline: PipelineState.Connecting } => "stale",
        _ when IsSilent(live) => "stale",
        _ => live.Copying || tables.Any(t => t.State is TableState.Copying or TableState.CatchingUp) ? "copying" : "streaming",
    };

    /// <summary>Lag goes on growing while nobody measures it.</summary>
    private double? Lag(LiveStatus? live, bool running)
    {
        if (live?.LagMs is not { } lag) return null;
        var silence = (time.GetUtcNow() - live.UpdatedAt).TotalMilliseconds;
        return running && silence < 2000 ? lag : lag + Math.Max(0, silence);
    }

    private bool IsRunning(LiveStatus live)
    {
        if (live.Pipeline is PipelineState.Stopped or PipelineState.Failed) return false;
        if (!IsSilent(live) && IsAlive(live.ProcessId)) return true;

        // No such process here, or it stands still. In another container it may be there: whoever lives holds the directory.
        if (DataDirectory.TryLock(directory) is not { } free) return true;
        free.Dispose();
        return false;
    }

    private bool IsSilent(LiveStatus live) => time.GetUtcNow() - live.UpdatedAt > SilenceMax;

    private static bool IsAlive(int processId)
    {
        try
        {
            using var process = Process.GetProcessById(processId);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private (List<(Lsn Position, ShardReport Report)> Shards, List<TableReport> Tables) ReadShards(NodeFile identity)
    {
        var shards = new List<(Lsn, ShardReport)>();
        var tables = new SortedDictionary<string, TableReport>(StringComparer.Ordinal);
        foreach (var shard in identity.Shards)
        {
            if (!File.Exists(Path.Combine(directory, shard.File)))
            {
                shards.Add((Lsn.Zero, new ShardReport(shard.Id, shard.File, "copying", null, 0, 0)));
                continue;
            }
            using var view = new ShardView(directory, shard);
            var position = view.BeginSnapshot();
            var progress = view.Progress();
            var beside = view.Progress(shadows: true).ToDictionary(t => t.Name, StringComparer.Ordinal);
            var layout = view.Layout();
            view.EndSnapshot();
            var state = progress.All(t => t.State is TableState.Live or TableState.Quarantined) ? "streaming" : "copying";
            shards.Add((position, new ShardReport(shard.Id, shard.File, state, position.ToString(), progress.Sum(t => t.Rows), view.Bytes)));
            foreach (var table in progress)
            {
                var before = tables.GetValueOrDefault(table.Name) ?? new TableReport(table.Name, TableState.Live, 0, 0, 0);
                tables[table.Name] = before with
                {
                    State = table.State < before.State ? table.State : before.State,
                    Rows = layout?.Keys.ContainsKey(table.Name) == true ? before.Rows + table.Rows : Math.Max(before.Rows, table.Rows),
                    ChunksDone = before.ChunksDone + table.ChunksDone,
                    Chunks = before.Chunks + table.Chunks,
                    Quarantine = before.Quarantine ?? (table.Quarantine is { } q ? new QuarantineReport(q.Column, q.Position.ToString(), q.Reason) : null),
                    Resync = beside.GetValueOrDefault(table.Name) is { } copy
                        ? new TableResync(copy.Rows + (before.Resync?.Rows ?? 0), copy.ChunksDone + (before.Resync?.ChunksDone ?? 0), copy.Chunks + (before.Resync?.Chunks ?? 0))
                        : before.Resync,
                };
            }
        }
        return (shards, [.. tables.Values]);
    }
}
