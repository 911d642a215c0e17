using DbSync.Postgres;

namespace DbSync.Hosting;

/// <summary>Compares tables with the primary's at one position, and remembers in the data directory what was found equal.</summary>
internal sealed class Verifier(Primary primary, string directory, TimeProvider time)
{
    /// <param name="tables">The tables.</param>
    /// <param name="options">How.</param>
    /// <param name="begun">Told of each table before it is compared.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DbSyncException">DBS5004 when the node does not answer, and what the primary says.</exception>
    public async Task<(Lsn Position, IReadOnlyList<TableComparison> Tables)> CompareAsync(
        IReadOnlyList<TableSchema> tables, ComparisonOptions options, Action<TableSchema> begun, CancellationToken cancellationToken)
    {
        var identity = NodeFile.Load(directory);
        await using var comparison = await new ComparisonOpener(primary, identity, directory, time).OpenAsync(cancellationToken);
        var at = time.GetUtcNow();
        var found = new List<TableComparison>();
        foreach (var table in tables)
        {
            begun(table);
            found.Add(await comparison.CompareAsync(table, options, cancellationToken));
        }
        ProofFile.Load(directory, identity).With(comparison.Position, found.Select(t => t.Verdict), at).Save(directory);
        return (comparison.Position, found);
    }
}
