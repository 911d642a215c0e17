namespace DbSync;

/// <summary>How a table compares at one position.</summary>
/// <param name="Name">The table, as the replica calls it.</param>
/// <param name="RowsPrimary">Its rows on the primary.</param>
/// <param name="RowsReplica">Its rows here.</param>
/// <param name="Differences">The keys whose rows differ.</param>
internal sealed record TableVerdict(string Name, long RowsPrimary, long RowsReplica, long Differences);
