using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>Finds out whether a query's own projection has an aggregate: what makes it one row of many.</summary>
internal sealed class AggregateFinder : ExpressionVisitor
{
    private static readonly HashSet<string> Names = new(["count", "sum", "min", "max", "avg", "group_concat", "ef_sum", "ef_min", "ef_max", "ef_avg"], StringComparer.OrdinalIgnoreCase);
    private bool _found;

    public static bool IsIn(IEnumerable<ProjectionExpression> projections)
    {
        var finder = new AggregateFinder();
        foreach (var projection in projections) finder.Visit(projection.Expression);
        return finder._found;
    }

    protected override Expression VisitExtension(Expression node)
    {
        if (node is SelectExpression) return node; // a subquery's are its own
        _found |= node is SqlFunctionExpression { Arguments.Count: 1 } function && Names.Contains(function.Name);
        return base.VisitExtension(node);
    }
}
