namespace DbSync.Hosting;

/// <summary>How both sides are compared.</summary>
internal sealed record ComparisonOptions
{
    /// <summary>The most rows of a table whose keys are found out; with more that differ, the table is copied again rather than mended.</summary>
    public int KeysMax { get; init; } = 100_000;

    /// <summary>How much of one server process's time the primary gives, above 0 and up to 1.</summary>
    public double Share { get; init; } = 1;

    /// <summary>For how many of the rows that differ the values of both sides are told; they are what a table holds, and shown only to who asks.</summary>
    public int ValuesMax { get; init; }
}
