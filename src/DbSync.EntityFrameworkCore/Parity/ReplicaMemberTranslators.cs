using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>Members whose translation by the SQLite provider loses something: the kind of a DateTime in <c>Date</c>.</summary>
internal sealed class ReplicaMemberTranslators(ISqlExpressionFactory sql) : IMemberTranslatorPlugin
{
    /// <summary>Midnight of a stored timestamp's day.</summary>
    public const string DayFunction = "dbsync_day";

    public const string DayFunctionUpper = "DBSYNC_DAY";

    public IEnumerable<IMemberTranslator> Translators { get; } = [new DateTranslator(sql)];

    private sealed class DateTranslator(ISqlExpressionFactory sql) : IMemberTranslator
    {
        private static readonly MemberInfo Date = typeof(DateTime).GetProperty(nameof(DateTime.Date))!;

        public SqlExpression? Translate(SqlExpression? instance, MemberInfo member, Type returnType, IDiagnosticsLogger<DbLoggerCategory.Query> logger) =>
            member == Date && instance?.TypeMapping is { Converter: not null } mapping
                ? sql.Function(DayFunction, [instance], nullable: true, argumentsPropagateNullability: [true], returnType, mapping)
                : null;
    }
}
