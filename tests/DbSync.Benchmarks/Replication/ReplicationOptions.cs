namespace DbSync.Benchmarks.Replication;

/// <summary>How much is measured.</summary>
/// <param name="Scale">1 for the sizes that the goals speak of.</param>
/// <param name="Rounds">How often each side is measured, by turns.</param>
/// <param name="Only">The parts to run (copy, drain, delay, memory, or a drain's own name); empty for all.</param>
internal sealed record ReplicationOptions(double Scale, int Rounds, IReadOnlyCollection<string> Only)
{
    public long Rows(long atFullScale) => Math.Max(1, (long)(atFullScale * Scale));

    public bool Wants(string part) => Only.Count == 0 || Only.Contains(part, StringComparer.Ordinal);
}
