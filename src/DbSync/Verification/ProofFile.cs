namespace DbSync;

/// <summary>
/// Which tables were proved equal to the primary's, in <c>proof.json</c> of the data directory. It speaks of the shard files that it names:
/// others were not looked at.
/// </summary>
/// <param name="Files">The shard files that were compared.</param>
/// <param name="Tables">For each table, as the replica names it, the comparison that found no difference last.</param>
internal sealed record ProofFile(IReadOnlyList<string> Files, IReadOnlyDictionary<string, ProofFile.Proof> Tables)
{
    public const string FileName = "proof.json";

    /// <summary>A comparison that found no difference.</summary>
    internal sealed record Proof(string Lsn, DateTimeOffset At, long Rows);

    /// <summary>What is known of the files that a node has now; empty when nothing is.</summary>
    public static ProofFile Load(string directory, NodeFile node)
    {
        List<string> files = [.. node.Shards.Select(s => s.File)];
        return JsonFile.TryLoad<ProofFile>(directory, FileName) is { Files: not null, Tables: not null } file && file.Files.SequenceEqual(files, StringComparer.Ordinal)
            ? file
            : new ProofFile(files, new Dictionary<string, Proof>(StringComparer.Ordinal));
    }

    /// <summary>Notes the outcome of a comparison: what was equal is proved, what was not is so no longer.</summary>
    public ProofFile With(Lsn position, IEnumerable<TableVerdict> verdicts, DateTimeOffset at)
    {
        var tables = new Dictionary<string, Proof>(Tables, StringComparer.Ordinal);
        foreach (var verdict in verdicts)
        {
            tables.Remove(verdict.Name);
            if (verdict.Differences == 0) tables.Add(verdict.Name, new Proof(position.ToString(), at, verdict.RowsReplica));
        }
        return this with { Tables = tables };
    }

    public void Save(string directory) => JsonFile.Save(directory, FileName, this);
}
