namespace DbSync;

/// <summary>The settings of a node.</summary>
internal sealed record NodeOptions
{
    public PipelineOptions Pipeline { get; init; } = new();

    public CopyOptions Copy { get; init; } = new();

    /// <summary>How often a heartbeat is committed on the primary.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often the slot is looked at.</summary>
    public TimeSpan SlotInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The most log that this node makes the primary keep before it gives its slot up, in bytes; null for the primary's own limit.</summary>
    public long? RetainedBytesMax { get; init; }

    /// <summary>How often the status file is written.</summary>
    public TimeSpan StatusInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the shards are held still for somebody who compares them with the primary.</summary>
    public TimeSpan HoldMax { get; init; } = TimeSpan.FromSeconds(15);
}
