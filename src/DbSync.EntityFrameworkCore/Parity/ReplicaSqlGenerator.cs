using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Replicas;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Sqlite.Query.Internal;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>SQLite's SQL with PostgreSQL's order of nulls, and with integers that overflow where PostgreSQL's do.</summary>
internal sealed class ReplicaSqlGeneratorFactory(QuerySqlGeneratorDependencies dependencies) : IQuerySqlGeneratorFactory
{
    public QuerySqlGenerator Create() => new Generator(dependencies);

    private sealed class Generator(QuerySqlGeneratorDependencies dependencies) : SqliteQuerySqlGenerator(dependencies)
    {
        /// <summary>
        /// Groups by what is the same in every row, which is how LINQ says several aggregates at once, are one group, or none of no rows: SQLite would
        /// sort all rows to find it.
        /// </summary>
        protected override Expression VisitSelect(SelectExpression selectExpression)
        {
            var isOneGroup = selectExpression.GroupBy.Count > 0 && selectExpression.GroupBy.All(k => IsConstant(k, selectExpression));
            if (!isOneGroup || !AggregateFinder.IsIn(selectExpression.Projection)) return base.VisitSelect(selectExpression);
            SqlExpression any = new SqlFragmentExpression("COUNT(*) > 0");
            if (selectExpression.Having is { } having) any = new SqlBinaryExpression(ExpressionType.AndAlso, any, having, typeof(bool), having.TypeMapping);
            return base.VisitSelect(selectExpression.Update(
                selectExpression.Tables, selectExpression.Predicate, [], any, selectExpression.Projection, selectExpression.Orderings, selectExpression.Offset, selectExpression.Limit));
        }

        private static bool IsConstant(SqlExpression key, SelectExpression select) => key switch
        {
            SqlConstantExpression or SqlParameterExpression => true,
            ColumnExpression column when select.Tables is [SelectExpression { Alias: { } alias } rows] && alias == column.TableAlias =>
                rows.Projection.FirstOrDefault(p => p.Alias == column.Name)?.Expression is SqlConstantExpression or SqlParameterExpression,
            _ => false,
        };

        protected override Expression VisitOrdering(OrderingExpression orderingExpression)
        {
            base.VisitOrdering(orderingExpression);
            if (orderingExpression.Expression is not ColumnExpression { IsNullable: false })
                Sql.Append(orderingExpression.IsAscending ? " NULLS LAST" : " NULLS FIRST");
            return orderingExpression;
        }

        protected override void GenerateLimitOffset(SelectExpression selectExpression)
        {
            if (selectExpression is { Limit: null, Offset: null }) return;
            Sql.AppendLine().Append("LIMIT ");
            if (selectExpression.Limit is { } limit) Rows(limit);
            else Sql.Append("-1");
            if (selectExpression.Offset is not { } offset) return;
            Sql.Append(" OFFSET ");
            Rows(offset);
        }

        private void Rows(SqlExpression count)
        {
            if (SqlGuard.IsCount(count)) Visit(count);
            else Checked(ReplicaFunctions.Rows, count, e => (Expression)Visit(e)!);
        }

        protected override Expression VisitSqlBinary(SqlBinaryExpression sqlBinaryExpression)
        {
            var (check, isFloat) = (Check(sqlBinaryExpression.Type), Plain(sqlBinaryExpression.Type) == typeof(double));
            switch (sqlBinaryExpression.OperatorType)
            {
                case ExpressionType.Equal or ExpressionType.NotEqual when IsComputedDecimal(sqlBinaryExpression.Left) && IsComputedDecimal(sqlBinaryExpression.Right):
                    Call("ef_compare", sqlBinaryExpression);
                    Sql.Append(sqlBinaryExpression.OperatorType == ExpressionType.Equal ? " = 0" : " <> 0");
                    return sqlBinaryExpression;
                case ExpressionType.Add or ExpressionType.Subtract or ExpressionType.Multiply or ExpressionType.Divide when isFloat:
                    Call(ReplicaFunctions.FloatOf(sqlBinaryExpression.OperatorType), sqlBinaryExpression);
                    return sqlBinaryExpression;
                case ExpressionType.Add or ExpressionType.Subtract or ExpressionType.Multiply
                    when check is not null && sqlBinaryExpression is not { Left: SqlConstantExpression, Right: SqlConstantExpression }:
                    return Checked(check, sqlBinaryExpression, e => base.VisitSqlBinary(e));
                case ExpressionType.Divide or ExpressionType.Modulo when check is not null && !ScalarGuard.IsSafeDivisor(sqlBinaryExpression.Right):
                    var (left, right) = (sqlBinaryExpression.Left, sqlBinaryExpression.Right);
                    var divisor = new SqlFunctionExpression(ReplicaFunctions.Divisor, [right], nullable: true, [true], right.Type, right.TypeMapping);
                    return Checked(check, sqlBinaryExpression.Update(left, divisor), e => base.VisitSqlBinary(e));
                default:
                    return base.VisitSqlBinary(sqlBinaryExpression);
            }
        }

        protected override Expression VisitSqlUnary(SqlUnaryExpression sqlUnaryExpression)
        {
            var check = sqlUnaryExpression.OperatorType switch
            {
                ExpressionType.Negate => Check(sqlUnaryExpression.Type),
                ExpressionType.Convert when Check(sqlUnaryExpression.Type) == ReplicaFunctions.Int4 && Check(sqlUnaryExpression.Operand.Type) == ReplicaFunctions.Int8 =>
                    ReplicaFunctions.Int4,
                _ => null,
            };
            return check is null ? base.VisitSqlUnary(sqlUnaryExpression) : Checked(check, sqlUnaryExpression, e => base.VisitSqlUnary(e));
        }

        protected override Expression VisitSqlFunction(SqlFunctionExpression sqlFunctionExpression) =>
            sqlFunctionExpression is { Name: "substr", Arguments: { } places } && !FunctionGuard.IsSafeSubstring(places)
                ? base.VisitSqlFunction(sqlFunctionExpression.Update(null, [places[0], .. places.Skip(1).Select((p, i) => Place(i == 0 ? ReplicaFunctions.Place : ReplicaFunctions.Rows, p))]))
            :             sqlFunctionExpression.Name == "abs" && Plain(sqlFunctionExpression.Type) == typeof(double)
                ? base.VisitSqlFunction(new SqlFunctionExpression(ReplicaFunctions.Abs, sqlFunctionExpression.Arguments!, nullable: true, [true], sqlFunctionExpression.Type, sqlFunctionExpression.TypeMapping))
            : sqlFunctionExpression.Name is "sum" or "SUM" or "abs" && Check(sqlFunctionExpression.Type) is { } check
                ? Checked(check, sqlFunctionExpression, e => base.VisitSqlFunction(e))
                : base.VisitSqlFunction(sqlFunctionExpression);

        private static SqlFunctionExpression Place(string function, SqlExpression place) => new(function, [place], nullable: true, [true], place.Type, place.TypeMapping);

        private T Checked<T>(string function, T expression, Func<T, Expression> visit)
            where T : SqlExpression
        {
            Sql.Append(function).Append("(");
            visit(expression);
            Sql.Append(")");
            return expression;
        }

        private void Call(string function, SqlBinaryExpression arguments)
        {
            Sql.Append(function).Append("(");
            Visit(arguments.Left);
            Sql.Append(", ");
            Visit(arguments.Right);
            Sql.Append(")");
        }

        /// <summary>A decimal that no column's collation compares: as text, equal numbers differ.</summary>
        private static bool IsComputedDecimal(SqlExpression operand) =>
            Plain(operand.Type) == typeof(decimal) && operand is not (ColumnExpression or SqlConstantExpression { Value: null });

        private static Type Plain(Type type) => Nullable.GetUnderlyingType(type) ?? type;

        private static string? Check(Type type)
        {
            var plain = Plain(type);
            return plain == typeof(int) ? ReplicaFunctions.Int4 : plain == typeof(long) ? ReplicaFunctions.Int8 : plain == typeof(short) ? ReplicaFunctions.Int2 : null;
        }
    }
}
