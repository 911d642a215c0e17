namespace DbSync;

/// <summary>Why a replica is copied again beside its files. Tries are counted for each by itself.</summary>
internal enum ReseedCause
{
    /// <summary>A person asked for it.</summary>
    Requested = 0,

    /// <summary>Somebody dropped the slot.</summary>
    SlotMissing = 1,

    /// <summary>The primary gave the slot up: it kept too much log, or was idle for too long.</summary>
    SlotLost = 2,

    /// <summary>The slot was confirmed beyond what the shards hold: somebody made it again, or followed it.</summary>
    SlotAhead = 3,

    /// <summary>The slot kept more log than this node may make the primary keep; the node gave it up.</summary>
    SlotOverBudget = 4,

    /// <summary>The primary is another cluster, or went back, or took another timeline than the one followed.</summary>
    PrimaryChanged = 5,

    /// <summary>A shard's file is damaged, or not this shard's.</summary>
    FileDamaged = 6,

    /// <summary>A change missed its row: something else wrote to a shard's file. Its tables are compared and mended where they are.</summary>
    Diverged = 7,

    /// <summary>What was restored stands before the oldest log that the slot still has. Its tables are compared and mended where they are.</summary>
    Restored = 8,
}

/// <summary>Which errors a copy beside the old files mends.</summary>
internal static class ReseedCauses
{
    /// <summary>The cause that an error's code stands for; null when copying again would not mend it.</summary>
    public static ReseedCause? Of(string code) => code switch
    {
        ErrorCodes.SlotMissing => ReseedCause.SlotMissing,
        ErrorCodes.SlotLost => ReseedCause.SlotLost,
        ErrorCodes.SlotAhead => ReseedCause.SlotAhead,
        ErrorCodes.SlotOverBudget => ReseedCause.SlotOverBudget,
        ErrorCodes.PrimaryChanged or ErrorCodes.PrimaryWentBack or ErrorCodes.TimelineForked => ReseedCause.PrimaryChanged,
        ErrorCodes.ShardFileDamaged or ErrorCodes.ShardFileMismatch => ReseedCause.FileDamaged,
        _ => null,
    };

    /// <summary>Whether the slot, when it is healthy, still serves: the new files then begin where it stands.</summary>
    public static bool KeepsSlot(ReseedCause cause) => cause is ReseedCause.Requested or ReseedCause.FileDamaged;
}
