namespace DbSync.Hosting;

/// <summary>How a table compares, and which rows differ.</summary>
/// <param name="Table">The table.</param>
/// <param name="Verdict">The figures.</param>
/// <param name="Keys">The cells of the keys of the rows that differ; empty when they were not looked for.</param>
/// <param name="IsWhole">Whether <paramref name="Keys"/> are all of them: rows of such a table can be read again by key.</param>
internal sealed record TableComparison(TableSchema Table, TableVerdict Verdict, IReadOnlyList<byte[]> Keys, bool IsWhole)
{
    /// <summary>For each shard how many more rows it has than it has counted: something else has changed the file.</summary>
    public IReadOnlyDictionary<string, long> Uncounted { get; init; } = new Dictionary<string, long>(StringComparer.Ordinal);

    /// <summary>What the node needs to mend it.</summary>
    public RowDamage Damage => new(Keys, Uncounted);

    /// <summary>Rows that differ, as both sides have them; only when it was asked for.</summary>
    public IReadOnlyList<RowComparison> Values { get; init; } = [];
}

/// <summary>A row that differs, each value in canonical form; a side that has no such row is null.</summary>
internal sealed record RowComparison(IReadOnlyDictionary<string, string?>? Primary, IReadOnlyDictionary<string, string?>? Replica);
