namespace DbSync;

/// <summary>The limits of the initial copy.</summary>
internal sealed record CopyOptions
{
    /// <summary>Chunks that are read at the same time.</summary>
    public int Parallelism { get; init; } = 2;

    /// <summary>Chunks that are held in memory at the same time: those being read, and those that wait for a shard to take them.</summary>
    public int ChunksHeldMax { get; init; } = 4;

    /// <summary>The size of a chunk on the primary's disk that the plan aims at, in bytes.</summary>
    public long ChunkBytes { get; init; } = 6L << 20;

    /// <summary>The most that is read of the primary's tables, in decoded bytes a second; null for no limit.</summary>
    public long? BytesPerSecondMax { get; init; }

    /// <summary>How long to wait before a chunk that was not ready, or a lost connection, is tried again.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait before a table that the primary refuses to give is tried again; the wait doubles each time.</summary>
    public TimeSpan RetryDelayMax { get; init; } = TimeSpan.FromSeconds(10);
}
