namespace DbSync;

/// <summary>How far a shard's copy of a table has come. Only <see cref="Live"/> tables may be read.</summary>
internal enum TableState : byte
{
    /// <summary>Chunks are missing.</summary>
    Copying = 1,

    /// <summary>Every chunk is here; readable once the shard has passed the position that the last snapshot may have seen.</summary>
    CatchingUp = 2,

    /// <summary>Equal to the primary at the shard's position.</summary>
    Live = 3,
}
