namespace DbSync.EntityFrameworkCore;

/// <summary>The query shapes that ran, each once.</summary>
/// <param name="Queries">All of them.</param>
public sealed record QueryReport(IReadOnlyList<ReportedQuery> Queries)
{
    /// <summary>Those that the primary must answer, whatever state a replica is in.</summary>
    public IEnumerable<ReportedQuery> NotRouted => Queries.Where(q => q.Reason != RouteReason.Replica);

    /// <inheritdoc />
    public override string ToString() => string.Join(Environment.NewLine, NotRouted.Select(q => $"{q.Reason}: {q.Detail}{Environment.NewLine}    {q.Shape}"));
}

/// <summary>A query shape, and where it goes.</summary>
/// <param name="Shape">The query in EF Core's notation, without values.</param>
/// <param name="Reason"><see cref="RouteReason.Replica"/>, or why the primary answers.</param>
/// <param name="Detail">What exactly, for people.</param>
public sealed record ReportedQuery(string Shape, RouteReason Reason, string Detail);
