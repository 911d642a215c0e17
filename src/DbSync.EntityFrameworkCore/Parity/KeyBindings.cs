using System.Collections;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>
/// Which columns a query pins to values, for each table it reads: by <c>==</c> or <c>Contains</c> in the condition of its own query, or by a join
/// to a column that is pinned. If that pins every table's shard key, one shard has all that the query can see.
/// </summary>
internal sealed class KeyBindings
{
    private readonly Dictionary<(string Alias, string Column), PinnedValue> _pins = [];
    private readonly List<((string Alias, string Column) From, (string Alias, string Column) To)> _equal = [];
    private readonly List<(string Alias, string Table)> _tables = [];

    private KeyBindings()
    {
    }

    /// <summary>The tables that the query reads, each as often as it does.</summary>
    public IReadOnlyList<(string Alias, string Table)> Tables => _tables;

    public static KeyBindings Of(Expression query)
    {
        var bindings = new KeyBindings();
        new Reader(bindings).Visit(query);
        bindings.Spread();
        return bindings;
    }

    /// <summary>What a column of a table is pinned to; null when the query says nothing.</summary>
    public PinnedValue? Find(string alias, string column) => _pins.GetValueOrDefault((alias, column));

    /// <summary>Carries values over equal columns until nothing new is pinned.</summary>
    private void Spread()
    {
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var (from, to) in _equal)
                if (_pins.TryGetValue(from, out var value)) changed |= _pins.TryAdd(to, value);
        }
    }

    private void Read(SelectExpression select)
    {
        var own = new HashSet<string>(StringComparer.Ordinal);
        foreach (var table in select.Tables)
        {
            var inner = TableAliases.Unwrap(table);
            if (inner.Alias is not { } alias) continue;
            own.Add(alias);
            if (inner is TableExpression plain) _tables.Add((alias, plain.Table.Name));
            else if (inner is SelectExpression subquery) Read(alias, subquery);
            // What a left join compares pins the table that it brings, never those before it.
            if (table is LeftJoinExpression left) Conjuncts(left.JoinPredicate, [alias]);
            else if (table is InnerJoinExpression join) Conjuncts(join.JoinPredicate, own);
        }
        // A condition inside a subquery says nothing of the tables around it.
        if (select.Predicate is { } predicate) Conjuncts(predicate, own);
    }

    /// <summary>
    /// A column of a subquery is what it is inside: pinned there, it is so outside. Pinned outside, it is so inside too, where a row that doesn't count
    /// changes nothing of those that do.
    /// </summary>
    private void Read(string alias, SelectExpression subquery)
    {
        var isRowByRow = subquery is { Limit: null, Offset: null, GroupBy.Count: 0, IsDistinct: false } && !subquery.Projection.Any(p => p.Expression is RowNumberExpression);
        foreach (var projection in subquery.Projection)
        {
            if (ColumnOf(projection.Expression) is not { } column) continue;
            _equal.Add(((column.TableAlias, column.Name), (alias, projection.Alias)));
            if (isRowByRow) _equal.Add(((alias, projection.Alias), (column.TableAlias, column.Name)));
        }
    }

    private void Conjuncts(SqlExpression condition, HashSet<string> own)
    {
        switch (condition)
        {
            case SqlBinaryExpression { OperatorType: ExpressionType.AndAlso } and:
                Conjuncts(and.Left, own);
                Conjuncts(and.Right, own);
                break;
            case SqlBinaryExpression { OperatorType: ExpressionType.Equal } equal:
                Equal(equal.Left, equal.Right, own);
                Equal(equal.Right, equal.Left, own);
                break;
            case InExpression { Item: ColumnExpression column } among when own.Contains(column.TableAlias):
                if (PinnedValue.Among(among) is { } values) _pins.TryAdd((column.TableAlias, column.Name), values);
                break;
        }
    }

    /// <summary>Of <c>column IN (SELECT other ...)</c> only the rows count whose value is the column's.</summary>
    private void Read(InExpression among)
    {
        if (among is not { Item: ColumnExpression item, Subquery: { Projection: [{ Expression: ColumnExpression found }] } inner }) return;
        if (inner.Tables.Any(t => TableAliases.Unwrap(t).Alias == found.TableAlias)) _equal.Add(((item.TableAlias, item.Name), (found.TableAlias, found.Name)));
    }

    private void Equal(SqlExpression pinned, SqlExpression to, HashSet<string> own)
    {
        if (ColumnOf(pinned) is not { } column || !own.Contains(column.TableAlias)) return;
        if (ColumnOf(to) is { } other) _equal.Add(((other.TableAlias, other.Name), (column.TableAlias, column.Name)));
        else if (PinnedValue.Of(to) is { } value) _pins.TryAdd((column.TableAlias, column.Name), value);
    }

    /// <summary>A column, or one of integers made wider, which changes neither what it equals nor its bucket: equal integers hash alike.</summary>
    private static ColumnExpression? ColumnOf(SqlExpression expression) => expression switch
    {
        ColumnExpression column => column,
        SqlUnaryExpression { OperatorType: ExpressionType.Convert, Operand: ColumnExpression column } wider
            when IntegerBytes(column.Type) is var own and > 0 && IntegerBytes(wider.Type) >= own => column,
        _ => null,
    };

    private static int IntegerBytes(Type type) => Nullable.GetUnderlyingType(type) is { } value ? IntegerBytes(value) : type.IsEnum ? 0 : Type.GetTypeCode(type) switch
    {
        TypeCode.Int16 => sizeof(short),
        TypeCode.Int32 => sizeof(int),
        TypeCode.Int64 => sizeof(long),
        _ => 0,
    };

    private sealed class Reader(KeyBindings bindings) : ExpressionVisitor
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
                    Visit(split.SelectExpression);
                    break;
                case SelectExpression select:
                    bindings.Read(select);
                    break;
                case InExpression among:
                    bindings.Read(among);
                    break;
            }
            return base.VisitExtension(node);
        }
    }
}

/// <summary>Values that a column is pinned to: constants and parameters of the query.</summary>
internal sealed class PinnedValue
{
    private readonly IReadOnlyList<SqlExpression> _values;
    private readonly bool _isList;

    private PinnedValue(IReadOnlyList<SqlExpression> values, bool isList = false) => (_values, _isList) = (values, isList);

    public static PinnedValue? Of(SqlExpression value) => value is SqlConstantExpression or SqlParameterExpression ? new PinnedValue([value]) : null;

    public static PinnedValue? Among(InExpression among)
    {
        if (among.ValuesParameter is { } list) return new PinnedValue([list], isList: true);
        return among.Values is { Count: > 0 } values && values.All(v => v is SqlConstantExpression or SqlParameterExpression) ? new PinnedValue(values) : null;
    }

    /// <summary>The values of one execution as the database has them; null when one is missing.</summary>
    public List<object>? Resolve(IReadOnlyDictionary<string, object?> parameters, FilterParameters filters, DbContext context)
    {
        var values = new List<object>();
        foreach (var expression in _values)
        {
            object? value;
            if (expression is SqlConstantExpression constant) value = constant.Value;
            else if (((SqlParameterExpression)expression).Name is var name && !parameters.TryGetValue(name, out value) && !filters.TryEvaluate(name, context, out value)) return null;
            var mapping = _isList ? expression.TypeMapping?.ElementTypeMapping : expression.TypeMapping;
            IEnumerable each = _isList && value is IEnumerable list ? list : new[] { value };
            foreach (var item in each)
            {
                if (item is null) return null;
                values.Add(mapping?.Converter is { } converter ? converter.ConvertToProvider(item)! : item);
            }
        }
        return values;
    }
}
