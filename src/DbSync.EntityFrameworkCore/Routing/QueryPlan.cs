using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Parity;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>What a query's own text says of its route, with the marks taken out.</summary>
/// <param name="Query">The query as EF Core knows it.</param>
/// <param name="Tracks">Whether entities in its result would be tracked.</param>
/// <param name="MustRoute">It says <c>UseReplica()</c>.</param>
/// <param name="Consistency">Its level, if it names one.</param>
/// <param name="Primary">Why it is the primary's, whatever the replica could do; null when it may be routed.</param>
/// <param name="NotAlike">What in it SQLite might answer differently; null when nothing is seen here.</param>
internal sealed record QueryPlan(
    Expression Query, bool Tracks, bool MustRoute, ReadConsistency? Consistency, (RouteReason Reason, string Detail)? Primary, string? NotAlike)
{
    /// <param name="query">The query, after EF Core has taken out its parameters.</param>
    /// <param name="context">The context it is compiled for.</param>
    public static QueryPlan Of(Expression query, DbContext context)
    {
        var reader = new MarkReader();
        var clean = reader.Visit(query);
        var tracks = reader.Tracks ?? context.ChangeTracker.QueryTrackingBehavior == QueryTrackingBehavior.TrackAll;
        var primary = reader.Primary;
        return new QueryPlan(clean, tracks, reader.MustRoute, reader.Consistency, primary, primary is null ? LinqAllowList.Refuse(clean, context.Model) : null);
    }

    private sealed class MarkReader : ExpressionVisitor
    {
        public bool? Tracks { get; private set; }

        public bool MustRoute { get; private set; }

        public ReadConsistency? Consistency { get; private set; }

        public (RouteReason Reason, string Detail)? Primary { get; private set; }

        protected override Expression VisitMethodCall(MethodCallExpression node)
        {
            var method = node.Method;
            if (IsMark(node, out var mark))
            {
                if (mark == DbSyncQueryableExtensions.PrimaryTag) Primary = (RouteReason.UsePrimary, "the query says UsePrimary()");
                else if (mark == DbSyncQueryableExtensions.ReplicaTag) MustRoute = true;
                else Consistency ??= DbSyncQueryableExtensions.ConsistencyOf(mark); // the outermost counts
                return Visit(node.Arguments[0]);
            }
            if (method.DeclaringType == typeof(EntityFrameworkQueryableExtensions))
            {
                // With several in one query EF Core takes the last it meets; tracking is the one that matters.
                if (method.Name == nameof(EntityFrameworkQueryableExtensions.AsTracking)) Tracks = true;
                else if (method.Name is nameof(EntityFrameworkQueryableExtensions.AsNoTracking) or nameof(EntityFrameworkQueryableExtensions.AsNoTrackingWithIdentityResolution))
                    Tracks ??= false;
                else if (method.Name.StartsWith("Execute", StringComparison.Ordinal)) Primary ??= (RouteReason.Statement, "it writes");
            }
            return base.VisitMethodCall(node);
        }

        private static bool IsMark(MethodCallExpression node, out string mark)
        {
            mark = node.Method.DeclaringType == typeof(EntityFrameworkQueryableExtensions) && node.Method.Name == nameof(EntityFrameworkQueryableExtensions.TagWith)
                && node.Arguments is [_, ConstantExpression { Value: string tag }] && tag.StartsWith("dbsync:", StringComparison.Ordinal)
                ? tag
                : "";
            return mark.Length > 0;
        }

        protected override Expression VisitExtension(Expression node)
        {
            if (node is QueryRootExpression and not EntityQueryRootExpression || (node is EntityQueryRootExpression && node.GetType() != typeof(EntityQueryRootExpression)))
                Primary ??= (RouteReason.Statement, "it starts from SQL or a function");
            return base.VisitExtension(node);
        }
    }
}
