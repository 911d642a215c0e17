namespace DbSync;

/// <summary>How far a shard's copy of a table has come. Only <see cref="Live"/> tables may be read. Of several shards the least counts.</summary>
internal enum TableState : byte
{
    /// <summary>A value came that can't be stored: nothing is applied until the table is copied again, and only the primary answers for it.</summary>
    Quarantined = 0,

    /// <summary>Chunks are missing.</summary>
    Copying = 1,

    /// <summary>Every chunk is here; readable once the shard has passed the position that the last snapshot may have seen.</summary>
    CatchingUp = 2,

    /// <summary>Equal to the primary at the shard's position.</summary>
    Live = 3,
}
