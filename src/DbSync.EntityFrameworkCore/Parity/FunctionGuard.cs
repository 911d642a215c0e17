using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>The SQL functions that SQLite computes as PostgreSQL does, each on the types for which that holds.</summary>
internal static class FunctionGuard
{
    private static readonly string[] DateParts = ["%Y", "%m", "%d", "%H", "%M", "%j", "%w"];

    public static Term Examine(SqlFunctionExpression function, Use use, ReplicaNeeds needs, ScalarGuard scalars)
    {
        if (function.Schema is not null || function.Instance is not null) throw Refused(function);
        var arguments = function.Arguments ?? [];
        var type = Nullable.GetUnderlyingType(function.Type) ?? function.Type;
        switch (function.Name.ToUpperInvariant())
        {
            case "COUNT":
                foreach (var argument in arguments) scalars.Examine(argument, Use.Compare);
                return Term.Computed;
            case "SUM" when type == typeof(int) || type == typeof(long):
                needs.MayFail = true;
                return Computed(arguments, scalars);
            case "MIN" or "MAX" when arguments.Count == 1:
                return Extreme(function, type, scalars);
            case "AVG" when Nullable.GetUnderlyingType(arguments[0].Type) is null && (arguments[0].Type == typeof(int) || arguments[0].Type == typeof(double)):
                return Average(function, arguments[0], scalars);
            case "COALESCE":
                var terms = arguments.Select(a => scalars.Choice(a, use == Use.Project ? Use.Project : Use.Argument)).ToList();
                return terms.Skip(1).Aggregate(terms[0] with { IsColumn = false }, (a, b) => a.With(b)) is var merged && merged.NeedsCollation && use != Use.Project
                    ? throw Refused(function)
                    : terms.FirstOrDefault(t => t.PgType is not null) is { PgType: not null } typed ? merged with { PgType = typed.PgType } : merged;
            case "LOWER" or "UPPER":
                (needs.MapsCase, needs.MayFail) = (true, true);
                return Text(function, arguments, scalars);
            case "LENGTH" when arguments[0].Type == typeof(string):
            case "INSTR" when arguments.All(a => a.Type == typeof(string)):
                foreach (var argument in arguments) ScalarGuard.RequireText(scalars.Examine(argument, Use.Argument), function.Name);
                return Term.Computed;
            case "LENGTH" when arguments[0].Type == typeof(byte[]):
                return Computed(arguments, scalars);
            case "FLOOR" or "CEIL" or "CEILING" or "TRUNC" when type == typeof(double) && arguments is [{ Type: var rounded }] && (Nullable.GetUnderlyingType(rounded) ?? rounded) == typeof(double):
                return Computed(arguments, scalars);
            case "SQRT" when type == typeof(double):
                needs.MayFail = true; // of what is negative
                return Computed(arguments, scalars);
            case "CONCAT_WS" when arguments.All(a => a.Type == typeof(string)):
            case "REPLACE" when arguments.All(a => a.Type == typeof(string)):
            case "TRIM" or "LTRIM" or "RTRIM" when arguments.Count == 2 && arguments[1] is SqlConstantExpression { Value: string or char }:
            case "SUBSTR" when IsSafeSubstring(arguments):
                return Text(function, arguments, scalars);
            case "SUBSTR" when arguments[0].Type == typeof(string):
                needs.MayFail = true; // before the text's first letter, or for less than nothing
                foreach (var place in arguments.Skip(1)) scalars.Examine(place, Use.Argument);
                return Text(function, [arguments[0]], scalars);
            case "DATE" when arguments.Count == 1 && type == typeof(DateOnly):
                return scalars.Examine(arguments[0], Use.Argument).PgType is "timestamp with time zone" or "timestamp without time zone" ? Term.Computed : throw Refused(function);
            case "ABS" when ScalarGuard.IsCheckedInteger(function.Type) || type == typeof(short):
                needs.MayFail = true;
                return Computed(arguments, scalars);
            case "ABS" when type == typeof(double):
                return Computed(arguments, scalars);
            case "MIN" or "MAX" when ScalarGuard.IsCheckedInteger(type) && arguments.All(ScalarGuard.IsNeverNull): // PostgreSQL passes over nulls, SQLite gives null
                return Computed(arguments, scalars);
            case "STRFTIME" when arguments.Count == 2 && arguments[0] is SqlConstantExpression { Value: string part } && DateParts.Contains(part):
                return scalars.Examine(arguments[1], Use.Argument).PgType is "timestamp with time zone" or "timestamp without time zone" or "date" or "time without time zone"
                    ? Term.Computed
                    : throw Refused(function);
            case "EF_ADD" or "EF_MULTIPLY" or "EF_NEGATE" or "EF_COMPARE" or "EF_SUM":
                needs.MayFail = true;
                return Computed(arguments, scalars);
            case "EF_MIN" or "EF_MAX":
                return scalars.Examine(arguments[0], Use.Argument) is { Columns: [var extreme] } number && scalars.HasOneScale(extreme)
                    ? number with { IsColumn = false }
                    : throw Refused(function); // which of two equal ones is arbitrary
            case ReplicaMemberTranslators.SecondFunctionUpper:
                return scalars.Examine(arguments[0], Use.Argument).PgType is "timestamp with time zone" or "timestamp without time zone" ? Term.Computed : throw Refused(function);
            case ReplicaMemberTranslators.DayFunctionUpper:
                return scalars.Examine(arguments[0], Use.Argument) with { IsColumn = false };
            case "JSON_ARRAY_LENGTH" when arguments.Count == 1:
                scalars.Elements(arguments[0]);
                return Term.Computed;
            default:
                throw Refused(function);
        }
    }

    private static Term Extreme(SqlFunctionExpression function, Type type, ScalarGuard scalars)
    {
        var argument = function.Arguments![0];
        if (type == typeof(bool) || type == typeof(Guid) || type == typeof(byte[]) || type == typeof(decimal)) throw Refused(function);
        var term = scalars.Examine(argument, Use.Compare);
        if (term.PgType is "citext") throw Refused(function); // which of two equal ones is arbitrary
        scalars.Ordered(argument);
        return term with { IsColumn = false };
    }

    /// <summary>The mean of integers: both sum exactly below 2^53 and divide once.</summary>
    private static Term Average(SqlFunctionExpression function, SqlExpression argument, ScalarGuard scalars)
    {
        var inner = argument is SqlUnaryExpression { OperatorType: ExpressionType.Convert } convert ? convert.Operand : argument;
        var type = Nullable.GetUnderlyingType(inner.Type) ?? inner.Type;
        if (type != typeof(int) && type != typeof(short)) throw Refused(function);
        scalars.Examine(inner, Use.Argument);
        return Term.Computed;
    }

    private static Term Computed(IReadOnlyList<SqlExpression> arguments, ScalarGuard scalars)
    {
        foreach (var argument in arguments) scalars.Examine(argument, Use.Argument);
        return Term.Computed;
    }

    private static Term Text(SqlFunctionExpression function, IReadOnlyList<SqlExpression> arguments, ScalarGuard scalars)
    {
        var term = new Term("text", false, []);
        foreach (var argument in arguments)
        {
            var one = scalars.Examine(argument, Use.Argument);
            ScalarGuard.RequireText(one, function.Name);
            term = term with { Columns = term.Columns.AddRange(one.Columns) };
        }
        return term;
    }

    internal static bool IsSafeSubstring(IReadOnlyList<SqlExpression> arguments) =>
        arguments[0].Type == typeof(string)
        && (arguments.Count == 2
            ? ConstantOf(arguments[1]) >= 1 || arguments[1] is SqlUnaryExpression { OperatorType: ExpressionType.Negate, Operand: SqlFunctionExpression { Name: "length" } }
            : ConstantOf(arguments[1]) >= 1 && (ConstantOf(arguments[2]) >= 0 || arguments[2] is SqlFunctionExpression { Name: "length" }));

    /// <summary>The value of a constant, or of EF Core's "index + 1".</summary>
    private static int? ConstantOf(SqlExpression expression) => expression switch
    {
        SqlConstantExpression { Value: int value } => value,
        SqlBinaryExpression { OperatorType: ExpressionType.Add } sum when ConstantOf(sum.Left) is { } left and < 1 << 30 && ConstantOf(sum.Right) is { } right and < 1 << 30 => left + right,
        _ => null,
    };

    private static NotRoutableException Refused(SqlFunctionExpression function) => SqlGuard.Refused($"{function.Name}({string.Join(", ", (function.Arguments ?? []).Select(a => a.Type.Name))})");
}
