namespace DbSync.Hosting;

/// <summary>What a host's node keeps to.</summary>
internal sealed record HostOptions
{
    public NodeOptions Node { get; init; } = new();

    public ReseedOptions Reseed { get; init; } = new();
}
