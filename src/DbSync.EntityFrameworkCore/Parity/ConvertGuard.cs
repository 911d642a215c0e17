using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>The conversions that SQLite's CAST makes as PostgreSQL's does.</summary>
internal static class ConvertGuard
{
    public static Term Examine(SqlUnaryExpression convert, Use use, ReplicaNeeds needs, ScalarGuard scalars)
    {
        var from = Underlying(convert.Operand.Type);
        var to = Underlying(convert.Type);
        if (convert.Operand is SqlFunctionExpression { Name: "strftime" } && to == typeof(int))
        {
            scalars.Examine(convert.Operand, Use.Argument);
            return Term.Computed;
        }
        var term = scalars.Examine(convert.Operand, Use.Argument);
        if (from == to) return term with { IsColumn = false };
        if (IsInteger(from) && (Widens(from, to) || to == typeof(double) || to == typeof(string))) return Term.Computed;
        if (IsInteger(from) && to == typeof(decimal) && use == Use.Project) return Term.Computed;
        if (from == typeof(long) && to == typeof(int))
        {
            needs.MayFail = true;
            return Term.Computed;
        }
        throw SqlGuard.Refused($"converting {from.Name} to {to.Name}");
    }

    private static bool IsInteger(Type type) => type == typeof(short) || type == typeof(int) || type == typeof(long);

    private static bool Widens(Type from, Type to) =>
        (from == typeof(short) && (to == typeof(int) || to == typeof(long))) || (from == typeof(int) && to == typeof(long));

    private static Type Underlying(Type type)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        return plain.IsEnum ? Enum.GetUnderlyingType(plain) : plain;
    }
}
