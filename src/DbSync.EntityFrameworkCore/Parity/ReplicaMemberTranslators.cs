using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>Members whose translation by the SQLite provider loses something: the kind of a DateTime in <c>Date</c>, the fraction in <c>Second</c>.</summary>
internal sealed class ReplicaMemberTranslators(ISqlExpressionFactory sql) : IMemberTranslatorPlugin
{
    /// <summary>Midnight of a stored timestamp's day.</summary>
    public const string DayFunction = "dbsync_day";

    public const string DayFunctionUpper = "DBSYNC_DAY";

    /// <summary>A stored timestamp's second as PostgreSQL's provider asks for it: rounded, up to 60.</summary>
    public const string SecondFunction = "dbsync_second";

    public const string SecondFunctionUpper = "DBSYNC_SECOND";

    public IEnumerable<IMemberTranslator> Translators { get; } = [new DateTranslator(sql)];

    private sealed class DateTranslator(ISqlExpressionFactory sql) : IMemberTranslator
    {
        private static readonly MemberInfo Date = typeof(DateTime).GetProperty(nameof(DateTime.Date))!;

        private static readonly MemberInfo Second = typeof(DateTime).GetProperty(nameof(DateTime.Second))!;

        public SqlExpression? Translate(SqlExpression? instance, MemberInfo member, Type returnType, IDiagnosticsLogger<DbLoggerCategory.Query> logger)
        {
            if (instance?.TypeMapping is not { Converter: not null } mapping) return null;
            if (member == Date) return sql.Function(DayFunction, [instance], nullable: true, argumentsPropagateNullability: [true], returnType, mapping);
            return member == Second ? sql.Function(SecondFunction, [instance], nullable: true, argumentsPropagateNullability: [true], returnType) : null;
        }
    }
}
