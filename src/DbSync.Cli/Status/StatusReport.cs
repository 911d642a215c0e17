namespace DbSync.Cli.Status;

/// <summary>What <c>dbsync status --json</c> writes. Positions as PostgreSQL prints them, durations in ms, sizes in bytes; null is unknown.</summary>
internal sealed record StatusReport
{
    public required string Replica { get; init; }

    public required string Node { get; init; }

    /// <summary>copying, streaming, stale, stopped or failed: see <c>dbsync explain state</c>.</summary>
    public required string State { get; init; }

    public required string AppliedLsn { get; init; }

    public required string? DurableLsn { get; init; }

    public required string? AcknowledgedLsn { get; init; }

    public required string? PrimaryLsn { get; init; }

    public required double? LagMs { get; init; }

    public required long? LagBytes { get; init; }

    public required DelayStatus Delay { get; init; }

    public required SlotReport? Slot { get; init; }

    /// <summary>Since when the files are not kept up to date, because everything is copied again; null when they are.</summary>
    public required DateTimeOffset? StaleSince { get; init; }

    /// <summary>The copy beside the old files; null when there is none.</summary>
    public required ReseedReport? Resync { get; init; }

    /// <summary>What 'dbsync verify' found equal; null when nothing was compared since these files are here.</summary>
    public required ProofReport? Proof { get; init; }

    public required IReadOnlyList<ShardReport> Shards { get; init; }

    public required IReadOnlyList<TableReport> Tables { get; init; }

    public required CounterReport Counters { get; init; }

    /// <summary>The running process; null when none runs.</summary>
    public required int? ProcessId { get; init; }

    /// <summary>When the process last spoke; null when none ever did.</summary>
    public required DateTimeOffset? UpdatedAt { get; init; }

    /// <summary>What the node waits for, or why it stopped, for people.</summary>
    public required string? Waiting { get; init; }

    public required string? ErrorCode { get; init; }

    /// <summary>What to do next, for people; null when all is well.</summary>
    public required string? Hint { get; init; }
}

/// <summary>The node's slot as the primary shows it now. A state of "missing" means that the primary has none of this name.</summary>
/// <param name="Name">The slot.</param>
/// <param name="Active">Whether somebody follows it.</param>
/// <param name="WalStatus">reserved, extended, unreserved, lost or missing.</param>
/// <param name="RetainedWalBytes">The log that it makes the primary keep.</param>
/// <param name="BudgetBytes">What may still be written before it is given up, by the primary's limit or the node's own; null for no limit.</param>
/// <param name="WalBytesPerSecond">What the primary writes: over the last minute while a node runs, else since its statistics began.</param>
/// <param name="BudgetEtaMs">How long the budget lasts at this rate if nothing more is acknowledged; null for no limit, or while nothing is written.</param>
internal sealed record SlotReport(
    string Name, bool Active, string WalStatus, long? RetainedWalBytes, long? BudgetBytes, double? WalBytesPerSecond, double? BudgetEtaMs)
{
    /// <summary>With what the running node knows better: its own limit, and the rate of the last minute.</summary>
    public SlotReport With(SlotStatus? live) => live is null || RetainedWalBytes is null
        ? this
        : this with { BudgetBytes = live.BudgetBytes, WalBytesPerSecond = live.WalBytesPerSecond ?? WalBytesPerSecond, BudgetEtaMs = live.BudgetEtaMs };
}

/// <summary>The comparison of every row that found no difference: the oldest of those of the tables.</summary>
/// <param name="Lsn">The position at which both sides were equal.</param>
/// <param name="At">When.</param>
/// <param name="AgeMs">How long ago.</param>
/// <param name="Tables">How many tables were found equal.</param>
/// <param name="TablesAll">How many there are.</param>
internal sealed record ProofReport(string Lsn, DateTimeOffset At, double AgeMs, int Tables, int TablesAll)
{
    /// <summary>What is known of the tables that are here.</summary>
    public static ProofReport? Of(ProofFile file, IReadOnlyCollection<string> tables, DateTimeOffset now)
    {
        var proofs = file.Tables.Where(t => tables.Contains(t.Key, StringComparer.Ordinal)).Select(t => t.Value).OrderBy(p => p.At).ToList();
        return proofs.Count == 0 ? null : new ProofReport(proofs[0].Lsn, proofs[0].At, (now - proofs[0].At).TotalMilliseconds, proofs.Count, tables.Count);
    }
}

/// <summary>A shard. Freshness is null until a node has measured it.</summary>
internal sealed record ShardReport(string Id, string File, string State, string? AppliedLsn, long Rows, long Bytes, Freshness? Freshness = null);

/// <summary>A table: quarantined, copying, catchingUp or live. Chunks are those that it is, or was, copied in.</summary>
/// <param name="Name">As the replica names it.</param>
/// <param name="State">quarantined, copying, catchingUp or live.</param>
/// <param name="Rows">Rows that are here.</param>
/// <param name="ChunksDone">Chunks that are here.</param>
/// <param name="Chunks">Chunks that are planned so far.</param>
/// <param name="Copy">How fast it is copied, in percent, rows a second and ms left; null when it isn't being read now.</param>
/// <param name="Resync">How far a copy beside the table has come ('dbsync resync --table'); null when there is none.</param>
/// <param name="Quarantine">Why the table is set aside; null when it is not.</param>
internal sealed record TableReport(string Name, TableState State, long Rows, int ChunksDone, int Chunks, TableCopyStatus? Copy = null, TableResync? Resync = null,
    QuarantineReport? Quarantine = null);

/// <summary>Why a table is set aside: the column (null for a row as a whole), the commit that brought the value, and the reason for people.</summary>
internal sealed record QuarantineReport(string? Column, string Lsn, string Reason);

/// <summary>A copy of a table that will take its place.</summary>
internal sealed record TableResync(long Rows, int ChunksDone, int Chunks);

/// <summary>Since the process started; null when none runs or ran.</summary>
internal sealed record CounterReport(long? Transactions, long? Rows, long? Reconnects);
