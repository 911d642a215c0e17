using System.Globalization;
using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Parity;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>
/// The functions that EF Core's SQLite provider calls, computing what PostgreSQL computes. Where one can't, it fails: the query then runs on
/// the primary.
/// </summary>
internal static class ReplicaFunctions
{
    /// <summary>Passes an int2 result on; beyond it the primary is asked, which computes with int2 or int4.</summary>
    public const string Int2 = "dbsync_int2";

    /// <summary>Passes an int4 result on, and fails where PostgreSQL says "integer out of range".</summary>
    public const string Int4 = "dbsync_int4";

    /// <summary>Passes an int8 result on, and fails where it overflowed (SQLite goes on with a float).</summary>
    public const string Int8 = "dbsync_int8";

    /// <summary>The absolute value of a float, also of a zero with a sign, which SQLite leaves.</summary>
    public const string Abs = "dbsync_float_abs";

    /// <summary>Passes the place of a letter on, and fails before the first, from where SQLite counts from the end.</summary>
    public const string Place = "dbsync_place";

    /// <summary>Passes a number of rows or letters on, and fails for a negative one, of which SQLite makes all rows or none.</summary>
    public const string Rows = "dbsync_rows";

    /// <summary>Passes a divisor on, and fails for zero, of which SQLite makes NULL.</summary>
    public const string Divisor = "dbsync_divisor";

    /// <summary>The function that computes with floats as PostgreSQL does.</summary>
    public static string FloatOf(ExpressionType operation) => $"dbsync_float_{operation}".ToLowerInvariant();

    public static void Register(SqliteConnection connection)
    {
        RegisterFloats(connection);
        RegisterDecimals(connection);
        connection.CreateFunction("lower", (string? text) => text is null ? null : CaseMapping.Lower(text), isDeterministic: true);
        connection.CreateFunction("upper", (string? text) => text is null ? null : CaseMapping.Upper(text), isDeterministic: true);
        connection.CreateFunction(
            ReplicaMemberTranslators.DayFunction, (string? instant) => instant is null ? null : string.Concat(instant.AsSpan(0, 10), " 00:00:00"), isDeterministic: true);
        connection.CreateFunction(
            ReplicaMemberTranslators.SecondFunction,
            (string? instant) => instant is null ? default(int?) : (int)Math.Round(decimal.Parse(instant.AsSpan(17), CultureInfo.InvariantCulture), MidpointRounding.ToEven),
            isDeterministic: true);
        RegisterRange(connection, Int2, short.MinValue, short.MaxValue);
        RegisterRange(connection, Int4, int.MinValue, int.MaxValue);
        RegisterRange(connection, Int8, long.MinValue, long.MaxValue);
        RegisterRange(connection, Place, 1, long.MaxValue);
        RegisterRange(connection, Rows, 0, long.MaxValue);
    }

    /// <summary>PostgreSQL's float8 operators: an infinite result of finite operands is an error, and so is a zero that isn't one.</summary>
    private static void RegisterFloats(SqliteConnection connection)
    {
        Float(connection, ExpressionType.Add, (a, b) => a + b);
        Float(connection, ExpressionType.Subtract, (a, b) => a - b);
        Float(connection, ExpressionType.Multiply, (a, b) => Underflows(a * b, a != 0 && b != 0));
        Float(connection, ExpressionType.Divide, (a, b) => b == 0 ? throw new OverflowException() : Underflows(a / b, a != 0 && !double.IsInfinity(b)));
        connection.CreateFunction(Abs, (double? value) => value is { } number ? Math.Abs(number) : default(double?), isDeterministic: true);
        connection.CreateFunction("sqrt", (double? value) => value < 0 ? throw new OverflowException() : value is { } number ? Math.Sqrt(number) : default(double?), isDeterministic: true);
        connection.CreateFunction(Divisor, (long? value) => value == 0 ? throw new OverflowException() : value, isDeterministic: true);
    }

    private static double Underflows(double result, bool whenZero) => result == 0 && whenZero ? throw new OverflowException() : result;

    private static void Float(SqliteConnection connection, ExpressionType operation, Func<double, double, double> compute) => connection.CreateFunction(
        FloatOf(operation),
        (double? left, double? right) =>
        {
            if (left is not { } a || right is not { } b) return default(double?);
            var result = compute(a, b);
            return double.IsNaN(result) || (double.IsInfinity(result) && double.IsFinite(a) && double.IsFinite(b)) ? throw new OverflowException() : result;
        },
        isDeterministic: true);

    private static void RegisterDecimals(SqliteConnection connection)
    {
        Binary(connection, "ef_add", DecimalMath.Add);
        Binary(connection, "ef_multiply", DecimalMath.Multiply);
        connection.CreateFunction("ef_negate", (string? value) => value is null ? null : Text(-Number(value)), isDeterministic: true);
        connection.CreateFunction(
            "ef_compare",
            (string? left, string? right) => left is null || right is null ? default(int?) : decimal.Compare(Number(left), Number(right)),
            isDeterministic: true);
        Aggregate(connection, "ef_sum", DecimalMath.Add);
        Aggregate(connection, "ef_max", (a, b) => a >= b ? a : b);
        Aggregate(connection, "ef_min", (a, b) => a <= b ? a : b);
    }

    private static void Binary(SqliteConnection connection, string name, Func<decimal, decimal, decimal> operation) => connection.CreateFunction(
        name,
        (string? left, string? right) => left is null || right is null ? null : Text(operation(Number(left), Number(right))),
        isDeterministic: true);

    private static void Aggregate(SqliteConnection connection, string name, Func<decimal, decimal, decimal> step) => connection.CreateAggregate(
        name,
        default(decimal?),
        (decimal? total, string? value) => value is null ? total : total is { } before ? step(before, Number(value)) : Number(value),
        total => total is { } result ? Text(result) : null,
        isDeterministic: true);

    private static void RegisterRange(SqliteConnection connection, string name, long min, long max)
    {
        void Check(sqlite3_context context, object user, sqlite3_value[] arguments)
        {
            var value = arguments[0];
            switch (raw.sqlite3_value_type(value))
            {
                case raw.SQLITE_NULL:
                    raw.sqlite3_result_null(context);
                    return;
                case raw.SQLITE_INTEGER when raw.sqlite3_value_int64(value) is var number && number >= min && number <= max:
                    raw.sqlite3_result_int64(context, number);
                    return;
                default:
                    raw.sqlite3_result_error(context, "out of range");
                    return;
            }
        }
        var result = raw.sqlite3_create_function(connection.Handle, name, 1, raw.SQLITE_UTF8 | raw.SQLITE_DETERMINISTIC, null, Check);
        SqliteException.ThrowExceptionForRC(result, connection.Handle);
    }

    private static decimal Number(string text) => decimal.Parse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture);

    private static string Text(decimal value) => value.ToString(CultureInfo.InvariantCulture);
}
