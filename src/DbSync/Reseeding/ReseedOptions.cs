namespace DbSync;

/// <summary>What a node does when its replica can't go on from its slot.</summary>
internal sealed record ReseedOptions
{
    /// <summary>Whether it copies again beside the old files; else it stops with the error.</summary>
    public bool Reseeds { get; init; } = true;

    /// <summary>How often each cause is met with a copy within <see cref="TriesWindow"/>; and how often one copy is begun without getting on.</summary>
    public int TriesMax { get; init; } = 3;

    /// <summary>How long a try counts.</summary>
    public TimeSpan TriesWindow { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long the end of whoever follows the slot is waited for before it is given up.</summary>
    public TimeSpan SlotWaitMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often every table is compared with the primary's, and mended; null for never.</summary>
    public TimeSpan? VerifyInterval { get; init; }

    /// <summary>How much of one server process's time on the primary such a comparison takes, above 0 and up to 1.</summary>
    public double VerifyShare { get; init; } = 0.25;

    /// <summary>How often requests and old files are looked for.</summary>
    public TimeSpan LookInterval { get; init; } = TimeSpan.FromMilliseconds(500);
}
