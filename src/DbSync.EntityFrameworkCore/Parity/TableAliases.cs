using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>The tables of a query by their aliases, which EF Core keeps unique over the whole query.</summary>
internal sealed class TableAliases : ExpressionVisitor
{
    private readonly Dictionary<string, TableExpressionBase> _tables = new(StringComparer.Ordinal);

    public TableExpressionBase? Find(string alias) => _tables.GetValueOrDefault(alias);

    protected override Expression VisitExtension(Expression node)
    {
        switch (node)
        {
            case ShapedQueryExpression shaped:
                Visit(shaped.QueryExpression);
                Visit(shaped.ShaperExpression);
                return node;
            case RelationalSplitCollectionShaperExpression split:
                Visit(split.SelectExpression);
                break;
            case SelectExpression select:
                foreach (var table in select.Tables)
                    if (Unwrap(table) is { Alias: { } alias } inner) _tables[alias] = inner;
                break;
            default:
                break;
        }
        return base.VisitExtension(node);
    }

    public static TableExpressionBase Unwrap(TableExpressionBase table) => table is JoinExpressionBase join ? join.Table : table;
}
