namespace DbSync;

/// <summary>
/// A request to read rows again that are unlike the primary's, in <c>repair.json</c> of the data directory: the node that runs there takes it,
/// answers in <c>repaired.json</c>, and deletes it.
/// </summary>
/// <param name="Id">Made up by the one who asks.</param>
/// <param name="Tables">For each table, as the replica names it, what differs.</param>
internal sealed record RepairRequest(string Id, IReadOnlyDictionary<string, RowDamage> Tables)
{
    public const string FileName = "repair.json";

    /// <summary>The request that waits; null when there is none.</summary>
    public static RepairRequest? TryLoad(string directory) => JsonFile.TryLoad<RepairRequest>(directory, FileName) is { Id: not null, Tables: not null } request ? request : null;

    public void Save(string directory) => JsonFile.Save(directory, FileName, this);

    public static void Delete(string directory) => File.Delete(Path.Combine(directory, FileName));
}

/// <summary>Rows of a table that differ from the primary's.</summary>
/// <param name="Keys">The cells of their keys.</param>
/// <param name="Uncounted">For each shard how many more rows it has, or fewer when negative, than it has counted.</param>
internal sealed record RowDamage(IReadOnlyList<byte[]> Keys, IReadOnlyDictionary<string, long> Uncounted);

/// <summary>What became of a request to read rows again.</summary>
/// <param name="Id">The request's.</param>
/// <param name="Failed">The tables of which the rows were not read again, and why.</param>
internal sealed record RepairAnswer(string Id, IReadOnlyDictionary<string, string> Failed)
{
    public const string FileName = "repaired.json";

    public static RepairAnswer? TryLoad(string directory) => JsonFile.TryLoad<RepairAnswer>(directory, FileName);

    public void Save(string directory) => JsonFile.Save(directory, FileName, this);
}
