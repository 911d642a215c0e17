namespace DbSync;

/// <summary>What the log says beside a table's new shape: the cells of a <see cref="ChangeKind.Alter"/>.</summary>
/// <param name="flags">How it is known.</param>
/// <param name="values">For each column, in order, what rows hold that were there before it was added.</param>
internal readonly ref struct TableAlteration(AlterationFlags flags, ReadOnlySpan<byte> values)
{
    public AlterationFlags Flags => flags;

    /// <summary>One cell a column.</summary>
    public ReadOnlySpan<byte> Values { get; } = values;

    public static TableAlteration Read(ReadOnlySpan<byte> cells)
    {
        var read = (AlterationFlags)Cell.Read(ref cells).Integer;
        return new TableAlteration(read, cells);
    }
}

/// <summary>How a table's new shape is known.</summary>
[Flags]
internal enum AlterationFlags : byte
{
    None = 0,

    /// <summary>Nobody saw what was done: only what can't have changed a row counts as understood.</summary>
    Inferred = 1,

    /// <summary>A table was created: partitions that are new are empty.</summary>
    Created = 2,
}
