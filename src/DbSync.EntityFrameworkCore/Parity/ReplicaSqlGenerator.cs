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
        protected override Expression VisitOrdering(OrderingExpression orderingExpression)
        {
            base.VisitOrdering(orderingExpression);
            if (orderingExpression.Expression is not ColumnExpression { IsNullable: false })
                Sql.Append(orderingExpression.IsAscending ? " NULLS LAST" : " NULLS FIRST");
            return orderingExpression;
        }

        protected override Expression VisitSqlBinary(SqlBinaryExpression sqlBinaryExpression) =>
            sqlBinaryExpression.OperatorType is ExpressionType.Add or ExpressionType.Subtract or ExpressionType.Multiply && Check(sqlBinaryExpression.Type) is { } check
            && sqlBinaryExpression is not { Left: SqlConstantExpression, Right: SqlConstantExpression }
                ? Checked(check, sqlBinaryExpression, e => base.VisitSqlBinary(e))
                : base.VisitSqlBinary(sqlBinaryExpression);

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
            sqlFunctionExpression.Name is "sum" or "SUM" or "abs" && Check(sqlFunctionExpression.Type) is { } check
                ? Checked(check, sqlFunctionExpression, e => base.VisitSqlFunction(e))
                : base.VisitSqlFunction(sqlFunctionExpression);

        private T Checked<T>(string function, T expression, Func<T, Expression> visit)
            where T : SqlExpression
        {
            Sql.Append(function).Append("(");
            visit(expression);
            Sql.Append(")");
            return expression;
        }

        private static string? Check(Type type)
        {
            var plain = Nullable.GetUnderlyingType(type) ?? type;
            return plain == typeof(int) ? ReplicaFunctions.Int4 : plain == typeof(long) ? ReplicaFunctions.Int8 : null;
        }
    }
}
