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
internal sealed record SlotReport(string Name, bool Active, string WalStatus, long? RetainedWalBytes, long? BudgetBytes, double? BudgetEtaMs);

internal sealed record ShardReport(string Id, string File, string State, string? AppliedLsn, long Rows, long Bytes);

/// <summary>A table: quarantined, copying, catchingUp or live. Chunks are those that it is, or was, copied in.</summary>
internal sealed record TableReport(string Name, TableState State, long Rows, int ChunksDone, int Chunks, QuarantineReport? Quarantine = null);

/// <summary>Why a table is set aside: the column (null for a row as a whole), the commit that brought the value, and the reason for people.</summary>
internal sealed record QuarantineReport(string? Column, string Lsn, string Reason);

/// <summary>Since the process started; null when none runs or ran.</summary>
internal sealed record CounterReport(long? Transactions, long? Rows, long? Reconnects);
