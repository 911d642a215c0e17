namespace DbSync;

/// <summary>What to do with a change of a table whose copy has begun.</summary>
internal enum ChunkJudgement
{
    /// <summary>The chunk's snapshot does not see the transaction: apply it.</summary>
    Apply,

    /// <summary>The chunk's snapshot sees the transaction: its effect is in the rows that were copied.</summary>
    Skip,

    /// <summary>The chunk is not here: drop the change, remember the transaction; the chunk's snapshot will have to see it.</summary>
    Drop,

    /// <summary>The chunk is being read: wait until its rows are here.</summary>
    Wait,

    /// <summary>Only the primary knows the keys' order: ask it which chunk the key is in.</summary>
    Ask,
}
