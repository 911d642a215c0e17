using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>
/// Named points at which the process can be made to die at once (SIGKILL), to prove that nothing depends on a clean end.
/// Armed by the environment variable <c>DBSYNC_FAILPOINT=name:count</c>: the count-th passing kills. Inert otherwise.
/// </summary>
internal static class Failpoint
{
    public const string EnvironmentVariable = "DBSYNC_FAILPOINT";

    public const string BeforeCommit = "before-commit";
    public const string AfterCommit = "after-commit";
    public const string BetweenShardCommits = "between-shard-commits";
    public const string MidTransaction = "mid-transaction";
    public const string BeforeBarrier = "before-barrier";
    public const string AfterBarrier = "after-barrier";
    public const string AfterAcknowledge = "after-acknowledge";
    public const string BeforeWalTruncation = "before-wal-truncation";
    public const string AfterWalTruncation = "after-wal-truncation";
    public const string AfterTableCreated = "after-table-created";
    public const string AfterChunkPlan = "after-chunk-plan";
    public const string AfterChunkSnapshot = "after-chunk-snapshot";
    public const string BeforeChunkCommit = "before-chunk-commit";
    public const string AfterChunkCommit = "after-chunk-commit";
    public const string AfterCopyFence = "after-copy-fence";
    public const string AfterTableLive = "after-table-live";
    public const string AfterBacklogPiece = "after-backlog-piece";
    public const string BeforeStream = "before-stream";
    public const string AfterStream = "after-stream";
    public const string AfterSpilledBlock = "after-spilled-block";
    public const string BeforeReplay = "before-replay";
    public const string AfterSlotGivenUp = "after-slot-given-up";
    public const string AfterSlotMade = "after-slot-made";
    public const string BeforeSwap = "before-swap";
    public const string AfterSwap = "after-swap";
    public const string BeforeBackupNamed = "before-backup-named";
    public const string BeforeRestoreNamed = "before-restore-named";
    public const string AfterGapRecorded = "after-gap-recorded";
    public const string AfterGapPassed = "after-gap-passed";
    public const string AfterMended = "after-mended";

    /// <summary>Every failpoint with what has and has not happened when the process dies there.</summary>
    public static readonly IReadOnlyList<(string Name, string Meaning)> All =
    [
        (BeforeCommit, "changes are applied, the SQLite transaction that holds them and their position is not committed"),
        (AfterCommit, "rows and position are committed together, not yet synced and not acknowledged"),
        (BetweenShardCommits, "one shard of the node has committed a transaction, another has not"),
        (MidTransaction, "half of a source transaction is applied in an open SQLite transaction"),
        (BeforeBarrier, "positions are committed, the synced commit has not begun"),
        (AfterBarrier, "the position is synced to disk, the primary has not been told"),
        (AfterAcknowledge, "the primary has been told a synced position"),
        (BeforeWalTruncation, "SQLite's write-ahead log has not been copied back into the file"),
        (AfterWalTruncation, "SQLite's write-ahead log has just been copied back into the file"),
        (AfterTableCreated, "a replica table was created, its copy is not planned"),
        (AfterChunkPlan, "a table's chunks are recorded, none is copied"),
        (AfterChunkSnapshot, "a chunk's snapshot is taken, its rows are being read"),
        (BeforeChunkCommit, "a chunk's rows are in an open SQLite transaction"),
        (AfterChunkCommit, "a chunk's rows and its snapshot are committed"),
        (AfterCopyFence, "all chunks of a table are copied and the position from which it can be read is recorded"),
        (AfterTableLive, "a copied table has just become readable"),
        (AfterBacklogPiece, "a piece of a backlog was read through SQL, the slot is not advanced"),
        (BeforeStream, "a backlog was read through SQL, the stream that follows it is not open"),
        (AfterStream, "the stream that follows a backlog is open, nothing came through it yet"),
        (AfterSpilledBlock, "a block of a transaction that has not ended is in a spill file"),
        (BeforeReplay, "the commit of a transaction has come whose changes are in a spill file, none is applied"),
        (AfterSlotGivenUp, "a replica has to be copied again and its slot is dropped, the new one is not made"),
        (AfterSlotMade, "the slot of a copy beside the old files is made, where it begins is not recorded"),
        (BeforeSwap, "a copy beside the old files is complete, the old ones are still named"),
        (AfterSwap, "the files of a copy are named, that it is done is not recorded"),
        (BeforeBackupNamed, "a backup's files are copied, and it is none yet"),
        (BeforeRestoreNamed, "a backup's files are in the data directory, the old ones are still named"),
        (AfterGapRecorded, "what was restored will go on from a later position, its shards still stand at the old one"),
        (AfterGapPassed, "a shard goes on from a later position, its tables are suspect"),
        (AfterMended, "a suspect table's rows are mended, it can't be read yet"),
    ];

    private static readonly string? ArmedName;
    private static int remaining;

    static Failpoint()
    {
        var setting = Environment.GetEnvironmentVariable(EnvironmentVariable);
        if (string.IsNullOrEmpty(setting)) return;
        var colon = setting.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? setting : setting[..colon];
        if (!All.Any(f => f.Name == name) || (colon >= 0 && !int.TryParse(setting.AsSpan(colon + 1), out remaining)))
            throw new DbSyncException(
                ErrorCodes.InvalidOption, $"{EnvironmentVariable} names no failpoint.", "Use name:count; 'dbsync explain failpoints' lists them.");
        if (colon < 0) remaining = 1;
        ArmedName = name;
    }

    /// <summary>Dies here when this point is armed and due.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Hit(string name)
    {
        if (ArmedName is not null) HitArmed(name);
    }

    private static void HitArmed(string name)
    {
        if (ArmedName != name || Interlocked.Decrement(ref remaining) != 0) return;
        using var self = Process.GetCurrentProcess();
        self.Kill(); // SIGKILL on Unix: no handler, no finalizer, no flush
        Thread.CurrentThread.Join(); // the signal is on its way; go no further
    }
}
