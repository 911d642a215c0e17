using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>Whether a query says in which order its rows come; without that, either side may give them in any.</summary>
internal static class RowOrder
{
    private static readonly string[] Keeping =
    [
        nameof(Queryable.Where), nameof(Queryable.Select), nameof(Queryable.Skip), nameof(Queryable.Take), nameof(Queryable.SkipWhile), nameof(Queryable.TakeWhile),
        nameof(Queryable.OfType), nameof(Queryable.Cast), nameof(Queryable.DefaultIfEmpty), nameof(Queryable.Reverse),
    ];

    private static readonly string[] Making =
    [
        nameof(Queryable.OrderBy), nameof(Queryable.OrderByDescending), nameof(Queryable.ThenBy), nameof(Queryable.ThenByDescending), nameof(Queryable.Order),
        nameof(Queryable.OrderDescending),
    ];

    /// <summary>Reads from the outermost operator inwards, for as long as each keeps the order of what it is given.</summary>
    public static bool IsSaidBy(Expression query)
    {
        while (query is MethodCallExpression { Method: var method, Arguments: [var source, ..] })
        {
            if (method.DeclaringType == typeof(Queryable))
            {
                if (Making.Contains(method.Name, StringComparer.Ordinal)) return true;
                if (!Keeping.Contains(method.Name, StringComparer.Ordinal)) return false;
            }
            else if (method.DeclaringType != typeof(EntityFrameworkQueryableExtensions))
                return false;
            query = source;
        }
        return false;
    }
}
