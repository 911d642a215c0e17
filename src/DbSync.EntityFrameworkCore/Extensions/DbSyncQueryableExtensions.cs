using System.Collections;
using System.Globalization;
using DbSync;
using DbSync.EntityFrameworkCore;

namespace Microsoft.EntityFrameworkCore;

/// <summary>
/// Says for one query where it is answered, and how fresh. In a context without DbSync, and over lists in tests, it changes nothing.
/// </summary>
public static class DbSyncQueryableExtensions
{
    // EF Core's own tags: every provider takes them, and they show up in the primary's log as a comment.
    internal const string PrimaryTag = "dbsync:primary";
    internal const string ReplicaTag = "dbsync:replica";
    internal const string ConsistencyTag = "dbsync:consistency=";

    /// <summary>The primary answers this query, whatever the context's options say.</summary>
    /// <param name="source">The query.</param>
    public static IQueryable<T> UsePrimary<T>(this IQueryable<T> source) => source.TagWith(PrimaryTag);

    /// <summary>
    /// The replica answers this query, or it throws <c>DBS7001</c> with the reason. For queries that must not load the primary; while
    /// <see cref="RoutingMode.Off"/> or <see cref="RoutingMode.Shadow"/> is switched on, the primary answers all the same.
    /// </summary>
    /// <param name="source">The query.</param>
    public static IQueryable<T> UseReplica<T>(this IQueryable<T> source) => source.TagWith(ReplicaTag);

    /// <summary>How fresh the answer must be. Doesn't move a query to the replica that isn't routed otherwise.</summary>
    /// <param name="source">The query.</param>
    /// <param name="consistency">The level.</param>
    public static IQueryable<T> WithConsistency<T>(this IQueryable<T> source, ReadConsistency consistency) => source.TagWith(consistency.Kind switch
    {
        ReadConsistency.Level.Bounded => string.Create(CultureInfo.InvariantCulture, $"{ConsistencyTag}{consistency.Bound.Ticks}"),
        var kind => ConsistencyTag + kind,
    });

    /// <summary>Where the query would go if it ran now, and why. Runs nothing, but may ask the primary for its position.</summary>
    /// <param name="source">A query of a context with <c>UseDbSync</c>.</param>
    /// <exception cref="DbSyncException">DBS7003 when the query's context has no DbSync.</exception>
    public static QueryRoute GetRoute<T>(this IQueryable<T> source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return source.Provider.Execute<IEnumerable>(source.Expression) is IRoutedQuery query
            ? query.Explain()
            : throw new DbSyncException(ErrorCodes.CannotPlugIn, "This query's context has no DbSync.", "Call UseDbSync on its options.");
    }

    /// <summary>The level that a tag names; null when it names none.</summary>
    internal static ReadConsistency? ConsistencyOf(string tag)
    {
        if (!tag.StartsWith(ConsistencyTag, StringComparison.Ordinal)) return null;
        return tag[ConsistencyTag.Length..] switch
        {
            nameof(ReadConsistency.Strong) => ReadConsistency.Strong,
            nameof(ReadConsistency.Eventual) => ReadConsistency.Eventual,
            nameof(ReadConsistency.Session) => ReadConsistency.Session,
            var ticks when long.TryParse(ticks, CultureInfo.InvariantCulture, out var bound) && bound > 0 => ReadConsistency.BoundedStaleness(TimeSpan.FromTicks(bound)),
            _ => null,
        };
    }
}
