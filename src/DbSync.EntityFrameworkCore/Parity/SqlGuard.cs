using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Modeling;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Sqlite.Query.Internal;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>
/// Lets through what SQLite is known to answer as PostgreSQL does, and notes what it needs of tables and columns. Tables and clauses here; scalars
/// in <see cref="ScalarGuard"/>.
/// </summary>
internal sealed class SqlGuard
{
    private readonly ReplicaNeeds _needs;
    private readonly TableAliases _aliases;
    private readonly ScalarGuard _scalars;
    private readonly HashSet<SelectExpression> _seen = [];

    public SqlGuard(ReplicaNeeds needs, TableAliases aliases)
    {
        (_needs, _aliases) = (needs, aliases);
        _scalars = new ScalarGuard(needs, this);
    }

    /// <exception cref="NotRoutableException">Something in the query isn't known to be alike.</exception>
    public void Check(Expression query) => new Roots(this).Visit(query);

    /// <summary>Checks a query and gives the terms of its projection.</summary>
    public List<Term> Select(SelectExpression select)
    {
        var terms = new List<Term>();
        if (!_seen.Add(select)) return [.. select.Projection.Select(p => _scalars.Examine(p.Expression, Use.Project))];
        foreach (var table in select.Tables) Table(table);
        if (select.Predicate is { } predicate) _scalars.Examine(predicate, Use.Argument);
        foreach (var key in select.GroupBy) _scalars.Grouped(key);
        if (select.Having is { } having) _scalars.Examine(having, Use.Argument);
        var keyed = select.IsDistinct ? Keyed(select) : null;
        foreach (var projection in select.Projection)
        {
            terms.Add(_scalars.Examine(projection.Expression, Use.Project));
            if (keyed?.Contains(TableOf(projection)) == false) _scalars.Grouped(projection.Expression);
        }
        foreach (var ordering in select.Orderings) _scalars.Ordered(ordering.Expression);
        if (select.Limit is { } limit) Rows(limit);
        if (select.Offset is { } offset) Rows(offset);
        return terms;
    }

    /// <summary>How many rows to take or to leave: a negative number is an error, which a subquery may come to at any row.</summary>
    private void Rows(SqlExpression count)
    {
        _scalars.Examine(count, Use.Argument);
        if (!IsCount(count)) _needs.MayFail = true;
    }

    /// <summary>A number of rows that is one whatever the parameters are.</summary>
    internal static bool IsCount(SqlExpression count) => count is SqlConstantExpression { Value: int and >= 0 };

    /// <summary>What a column is, through subqueries down to its table.</summary>
    public Term Resolve(ColumnExpression column)
    {
        switch (_aliases.Find(column.TableAlias))
        {
            case TableExpression table:
                return OfTable(table.Table, column);
            case SelectExpression select when select.Projection.FirstOrDefault(p => p.Alias == column.Name) is { } projection:
                return _scalars.Examine(projection.Expression, Use.Project);
            case SetOperationBase operation when operation.Source1.Projection.FirstOrDefault(p => p.Alias == column.Name) is { } projection:
                var second = operation.Source2.Projection.FirstOrDefault(p => p.Alias == column.Name) ?? throw Refused("a set operation of different columns");
                return _scalars.Examine(projection.Expression, Use.Project).With(_scalars.Examine(second.Expression, Use.Project));
            case ValuesExpression:
            case JsonEachExpression:
                return Type.GetTypeCode(Nullable.GetUnderlyingType(column.Type) ?? column.Type) is TypeCode.Int16 or TypeCode.Int32 or TypeCode.Int64 or TypeCode.String or TypeCode.Boolean
                    || column.Type == typeof(Guid)
                        ? Term.Computed
                        : throw Refused($"a list of {column.Type.Name}");
            default:
                throw Refused("a column of something that is no table");
        }
    }

    public static NotRoutableException Refused(string what) => new(RouteReason.NotAlike, $"{what} is not known to be alike");

    private void Table(TableExpressionBase table)
    {
        switch (table)
        {
            case TableExpression plain:
                _needs.AddTable(plain.Table.Name, plain.Table.Name.Contains('.', StringComparison.Ordinal));
                return;
            case PredicateJoinExpressionBase join and (InnerJoinExpression or LeftJoinExpression or RightJoinExpression):
                Table(join.Table);
                _scalars.Examine(join.JoinPredicate, Use.Argument);
                return;
            case CrossJoinExpression cross:
                Table(cross.Table);
                return;
            case SelectExpression select:
                Select(select);
                return;
            case SetOperationBase operation:
                Select(operation.Source1);
                Select(operation.Source2);
                if (operation.IsDistinct && !(Keyed(operation.Source1) is { Count: > 0 } keyed && operation.Source1.Projection.All(p => keyed.Contains(TableOf(p))) && IsSameTable(operation)))
                    foreach (var projection in operation.Source1.Projection.Concat(operation.Source2.Projection))
                        _scalars.Grouped(projection.Expression, merged: true);
                return;
            case ValuesExpression values:
                if (values.ValuesParameter is { } parameter) _scalars.Examine(parameter, Use.Argument);
                foreach (var value in (values.RowValues ?? []).SelectMany(r => r.Values)) _scalars.Examine(value, Use.Argument);
                return;
            case JsonEachExpression { Path: null } each:
                _scalars.Elements(each.JsonExpression);
                return;
            default:
                throw Refused(table.GetType().Name);
        }
    }

    /// <summary>
    /// The tables of a query whose whole key it gives out: rows that differ in them are never merged, and rows that don't are one row, so that it doesn't
    /// matter how their other columns compare.
    /// </summary>
    private HashSet<string?> Keyed(SelectExpression select)
    {
        var columns = select.Projection.Where(p => TableOf(p) is not null).ToLookup(p => TableOf(p), p => ((ColumnExpression)p.Expression).Name, StringComparer.Ordinal);
        return columns.Where(t => ((TableExpression)_aliases.Find(t.Key!)!).Table is ITable { PrimaryKey: { } key } && key.Columns.All(k => t.Contains(k.Name, StringComparer.Ordinal)))
            .Select(t => t.Key).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>The alias of the table that a projection's column is one of; null for what is no column of a table.</summary>
    private string? TableOf(ProjectionExpression projection) =>
        projection.Expression is ColumnExpression column && _aliases.Find(column.TableAlias) is TableExpression ? column.TableAlias : null;

    /// <summary>True when both sides give the same columns of the same table in the same places.</summary>
    private bool IsSameTable(SetOperationBase operation) => operation.Source1.Projection.Zip(operation.Source2.Projection).All(pair =>
        pair.First.Alias == pair.Second.Alias && TableOf(pair.Second) is { } other && ((ColumnExpression)pair.First.Expression).Name == ((ColumnExpression)pair.Second.Expression).Name
        && ((TableExpression)_aliases.Find(TableOf(pair.First)!)!).Table == ((TableExpression)_aliases.Find(other)!).Table);

    private Term OfTable(ITableBase table, ColumnExpression column)
    {
        var found = table.FindColumn(column.Name) ?? throw Refused($"column {table.Name}.{column.Name}");
        var property = found.PropertyMappings.Select(m => m.Property).FirstOrDefault();
        if (property?.FindAnnotation(ReplicaAnnotations.PrimaryOnly)?.Value is string why)
            throw new NotRoutableException(RouteReason.PrimaryOnlyColumn, $"{table.Name}.{column.Name}: {why}");
        var pgType = property is null ? "jsonb" : property.FindAnnotation(ReplicaAnnotations.PgType)?.Value as string ?? throw Refused($"the type of {table.Name}.{column.Name}");
        _needs.AddColumn(table.Name, column.Name, pgType);
        return new Term(pgType, true, [(table.Name, column.Name, pgType)]);
    }

    /// <summary>Finds the queries in what EF Core compiles: the one of the whole, and those of split collections.</summary>
    private sealed class Roots(SqlGuard guard) : ExpressionVisitor
    {
        protected override Expression VisitExtension(Expression node)
        {
            switch (node)
            {
                case ShapedQueryExpression shaped:
                    Visit(shaped.QueryExpression);
                    Visit(shaped.ShaperExpression);
                    return node;
                case RelationalSplitCollectionShaperExpression split:
                    guard.Select(split.SelectExpression);
                    return base.VisitExtension(node);
                case SelectExpression select:
                    guard.Select(select);
                    return node;
                default:
                    return base.VisitExtension(node);
            }
        }
    }
}

/// <summary>What a scalar is used for.</summary>
internal enum Use
{
    /// <summary>It is returned.</summary>
    Project,

    /// <summary>It is an operand of a comparison.</summary>
    Compare,

    /// <summary>It is an input of something else.</summary>
    Argument,
}
