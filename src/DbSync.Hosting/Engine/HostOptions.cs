namespace DbSync.Hosting;

/// <summary>What a host's node keeps to.</summary>
internal sealed record HostOptions
{
    public NodeOptions Node { get; init; } = new();

    public ReseedOptions Reseed { get; init; } = new();

    /// <summary>How much of transactions in progress the data directory may hold, in bytes; null for the source's default.</summary>
    public long? SpillBytesMax { get; init; }
}
