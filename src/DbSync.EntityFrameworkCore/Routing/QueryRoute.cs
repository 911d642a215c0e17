namespace DbSync.EntityFrameworkCore;

/// <summary>Where a query goes, and why.</summary>
/// <param name="Reason"><see cref="RouteReason.Replica"/>, or why the primary answers.</param>
/// <param name="Detail">What exactly, for people; names of tables and columns, never values. Of a replica with several shards: the one that answers, when it is one.</param>
/// <param name="Position">The position of the primary's log at which the replica would answer, in PostgreSQL's text form; null for the primary.</param>
/// <param name="Age">How old the replica's newest heartbeat is, by the primary's clock; null for the primary, or when there is none.</param>
public sealed record QueryRoute(RouteReason Reason, string Detail, string? Position, TimeSpan? Age)
{
    /// <summary>True when the replica would answer.</summary>
    public bool IsReplica => Reason == RouteReason.Replica;
}

/// <summary>A query that can say where it would go.</summary>
internal interface IRoutedQuery
{
    QueryRoute Explain();
}
