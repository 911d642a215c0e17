using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Modeling;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>Lets through the scalars of a query that SQLite is known to compute as PostgreSQL does.</summary>
internal sealed class ScalarGuard(ReplicaNeeds needs, SqlGuard tables)
{
    /// <exception cref="NotRoutableException">The scalar, or something in it, isn't known to be alike.</exception>
    public Term Examine(SqlExpression scalar, Use use)
    {
        switch (scalar)
        {
            case ColumnExpression column:
                return Column(tables.Resolve(column), use);
            case SqlParameterExpression:
            case SqlFragmentExpression:
                return Plain(scalar, use);
            case SqlConstantExpression constant:
                if (constant.Value is float literal && !IsExact(literal)) throw SqlGuard.Refused("a literal of type float");
                if (constant.Value is string text && !StoredTypes.IsEncodable(text)) throw SqlGuard.Refused("text with half a pair of surrogates");
                if (!SurvivesStorage(constant)) throw SqlGuard.Refused("a literal that is finer than its stored form"); // PostgreSQL rounds it, and truncates a parameter
                return Plain(scalar, use);
            case SqlBinaryExpression binary:
                return Binary(binary, use);
            case SqlUnaryExpression unary:
                return Unary(unary, use);
            case CaseExpression choice:
                return Case(choice, use);
            case LikeExpression like:
                RequireText(Examine(like.Match, Use.Argument), "LIKE");
                Examine(like.Pattern, Use.Argument);
                if (like.EscapeChar is not null) Examine(like.EscapeChar, Use.Argument);
                return Term.Computed;
            case InExpression contains:
                return In(contains);
            case ExistsExpression exists:
                tables.Select(exists.Subquery);
                return Term.Computed;
            case ScalarSubqueryExpression subquery:
                var only = tables.Select(subquery.Subquery)[0];
                return Column(only with { IsColumn = false }, use);
            case SqlFunctionExpression function:
                return FunctionGuard.Examine(function, use, needs, this);
            case DistinctExpression distinct:
                Grouped(distinct.Operand);
                return Examine(distinct.Operand, use);
            case RowNumberExpression number:
                foreach (var partition in number.Partitions) Grouped(partition);
                foreach (var ordering in number.Orderings) Ordered(ordering.Expression);
                return Term.Computed;
            case CollateExpression { Collation: "EF_DECIMAL" } collate:
                return Examine(collate.Operand, use);
            case JsonScalarExpression json:
                return Json(json);
            default:
                throw SqlGuard.Refused(scalar.GetType().Name);
        }
    }

    /// <summary>A scalar that rows are sorted by, or compared with less and greater.</summary>
    public void Ordered(SqlExpression scalar)
    {
        var term = Examine(scalar, Use.Compare);
        if (scalar is SqlConstantExpression or SqlParameterExpression) return; // the other side says how they compare
        if (term.PgType is "json" or "jsonb" or "xml" or "inet" || term.PgType?.EndsWith("[]", StringComparison.Ordinal) == true) throw SqlGuard.Refused($"the order of {term.PgType}");
        if (term.NeedsCollation && !term.IsColumn) throw SqlGuard.Refused($"the order of a computed {term.PgType}");
        if (scalar.Type == typeof(string) && term.Columns.IsEmpty) throw SqlGuard.Refused("the order of computed text");
        // By the stored type: an enum that is kept as text is sorted as text.
        if (scalar.Type == typeof(string) || term.NeedsCollation || (term.PgType is { } stored && IsText(stored)))
            foreach (var (table, column, pgType) in term.Columns) needs.AddColumn(table, column, pgType, ordered: true);
    }

    /// <summary>A scalar whose equal values become one: which of them is shown must not matter.</summary>
    /// <param name="scalar">The scalar.</param>
    /// <param name="merged">Whether it meets the values of another query, where a column's collation doesn't reach.</param>
    public void Grouped(SqlExpression scalar, bool merged = false)
    {
        var term = Examine(scalar, Use.Compare);
        var type = Nullable.GetUnderlyingType(scalar.Type) ?? scalar.Type;
        if (term.PgType is "citext" or "json" or "jsonb" or "xml" or "real" or "double precision" || type == typeof(double) || type == typeof(float)
            || (term.PgType?.EndsWith("[]", StringComparison.Ordinal) == true && !(HasOneText(term) && !merged)))
            throw SqlGuard.Refused($"grouping {term.PgType ?? type.Name}");
        if (term.NeedsCollation && (merged || !term.IsColumn)) throw SqlGuard.Refused($"grouping a computed {term.PgType}");
        if (type != typeof(decimal)) return;
        if (merged || !term.IsColumn || term.Columns.Length != 1) throw SqlGuard.Refused("grouping computed decimals");
        needs.AddColumn(term.Columns[0].Table, term.Columns[0].Column, term.Columns[0].PgType, fixedScale: true);
    }

    /// <summary>Notes that equal numbers of a column must be written alike.</summary>
    public bool HasOneScale((string Table, string Column, string PgType) column)
    {
        needs.AddColumn(column.Table, column.Column, column.PgType, fixedScale: true);
        return true;
    }

    /// <summary>An array whose elements become rows.</summary>
    public void Elements(SqlExpression array)
    {
        var term = Examine(array, Use.Project);
        if (array is ColumnExpression && term.PgType?.EndsWith("[]", StringComparison.Ordinal) != true) throw SqlGuard.Refused($"the elements of {term.PgType}");
        if (array is not (ColumnExpression or SqlParameterExpression)) throw SqlGuard.Refused("the elements of a computed list");
    }

    /// <summary>Text of which functions see the stored form: char(n) without its blanks and citext's own functions don't.</summary>
    public static void RequireText(Term term, string what)
    {
        if (term.Columns.Any(c => c.PgType is not ("text" or "character varying"))) throw SqlGuard.Refused($"{what} of {term.Columns[0].PgType}");
    }

    private static Term Column(Term term, Use use)
    {
        if (use == Use.Argument && term.NeedsCollation) throw SqlGuard.Refused($"an operation on {term.PgType}");
        return term;
    }

    private static Term Plain(SqlExpression scalar, Use use)
    {
        var type = Nullable.GetUnderlyingType(scalar.Type) ?? scalar.Type;
        if (use == Use.Project && (type == typeof(DateTime) || type == typeof(DateTimeOffset) || type == typeof(TimeSpan) || type == typeof(float)))
            throw SqlGuard.Refused($"a returned parameter of type {type.Name}");
        return Term.Computed;
    }

    private Term Binary(SqlBinaryExpression binary, Use use)
    {
        switch (binary.OperatorType)
        {
            case ExpressionType.AndAlso:
            case ExpressionType.OrElse:
                Examine(binary.Left, Use.Argument);
                Examine(binary.Right, Use.Argument);
                return Term.Computed;
            case ExpressionType.Equal:
            case ExpressionType.NotEqual:
                Equal(binary.Left, binary.Right);
                return Term.Computed;
            case ExpressionType.LessThan:
            case ExpressionType.LessThanOrEqual:
            case ExpressionType.GreaterThan:
            case ExpressionType.GreaterThanOrEqual:
                Equal(binary.Left, binary.Right, isOrder: true);
                return Term.Computed;
            case ExpressionType.Add when binary.Type == typeof(string):
                var (left, right) = (Examine(binary.Left, Use.Argument), Examine(binary.Right, Use.Argument));
                RequireText(left, "joining");
                RequireText(right, "joining");
                return left.With(right) with { PgType = "text" };
            case ExpressionType.Add or ExpressionType.Subtract or ExpressionType.Multiply when IsCheckedInteger(binary.Type):
                Integers(binary);
                needs.MayFail = true;
                return Term.Computed;
            case ExpressionType.Add or ExpressionType.Subtract or ExpressionType.Multiply when use != Use.Project && (Nullable.GetUnderlyingType(binary.Type) ?? binary.Type) == typeof(short):
                Integers(binary);
                needs.MayFail = true;
                return Term.Computed;
            case ExpressionType.Divide or ExpressionType.Modulo when IsCheckedInteger(binary.Type):
                Integers(binary);
                if (!IsSafeDivisor(binary.Right)) needs.MayFail = true;
                return Term.Computed;
            case ExpressionType.Add or ExpressionType.Subtract or ExpressionType.Multiply or ExpressionType.Divide when IsDouble(binary.Type):
                foreach (var operand in new[] { binary.Left, binary.Right })
                    if (!IsDouble(operand.Type) || Examine(operand, Use.Argument).PgType is not (null or "double precision")) throw SqlGuard.Refused($"arithmetic on {operand.Type.Name}");
                needs.MayFail = true; // PostgreSQL raises an error where the result overflows or underflows
                return Term.Computed;
            case ExpressionType.And or ExpressionType.Or when IsCheckedInteger(binary.Type) || binary.Type == typeof(bool):
                Integers(binary);
                return Term.Computed;
            case ExpressionType.Coalesce:
                return Examine(binary.Left, Use.Argument).With(Examine(binary.Right, Use.Argument));
            default:
                throw SqlGuard.Refused($"{binary.OperatorType} of {binary.Type.Name}");
        }
    }

    private void Integers(SqlBinaryExpression binary)
    {
        foreach (var operand in new[] { binary.Left, binary.Right })
            if (Examine(operand, Use.Argument).PgType is { } pgType && !IsInteger(pgType) && pgType != "boolean") throw SqlGuard.Refused($"arithmetic on {pgType}");
    }

    private void Equal(SqlExpression left, SqlExpression right, bool isOrder = false)
    {
        var (a, b) = (Examine(left, Use.Compare), Examine(right, Use.Compare));
        if (left is SqlConstantExpression { Value: null } || right is SqlConstantExpression { Value: null }) return; // IS NULL, in the end
        if (a.PgType is { } one && b.PgType is { } other && one != other && !(IsInteger(one) && IsInteger(other)) && !(IsText(one) && IsText(other)))
            throw SqlGuard.Refused($"comparing {one} with {other}");
        if (a.PgType is "json" or "jsonb" or "xml" || b.PgType is "json" or "jsonb" or "xml") throw SqlGuard.Refused("comparing documents");
        if ((a.NeedsCollation && !a.IsColumn) || (b.NeedsCollation && !b.IsColumn)) throw SqlGuard.Refused("comparing a computed value of its column's collation");
        var type = Nullable.GetUnderlyingType(left.Type) ?? left.Type;
        // The text of equal numbers differs; a column compares them by its collation, ef_compare by their value.
        if (type == typeof(decimal) && !a.IsColumn && !b.IsColumn && (left is ColumnExpression || right is ColumnExpression)) throw SqlGuard.Refused("comparing computed decimals");
        if (type == typeof(decimal) && isOrder) throw SqlGuard.Refused("comparing decimals as text");
        if (IsTemporal(type) && a.PgType is null && b.PgType is null) throw SqlGuard.Refused("comparing computed times");
        if ((a.PgType ?? b.PgType)?.EndsWith("[]", StringComparison.Ordinal) == true && !(HasOneText(a) && HasOneText(b) && !isOrder)) throw SqlGuard.Refused("comparing arrays");
        if (!isOrder) return;
        Ordered(left);
        Ordered(right);
        if (type == typeof(string) && a.Columns.IsEmpty && b.Columns.IsEmpty) throw SqlGuard.Refused("the order of computed text");
    }

    private Term Unary(SqlUnaryExpression unary, Use use)
    {
        switch (unary.OperatorType)
        {
            case ExpressionType.Equal or ExpressionType.NotEqual: // IS NULL
                Examine(unary.Operand, Use.Compare);
                return Term.Computed;
            case ExpressionType.Not when unary.Type == typeof(bool) || unary.Type == typeof(bool?):
                Examine(unary.Operand, Use.Argument);
                return Term.Computed;
            case ExpressionType.Negate when IsCheckedInteger(unary.Type):
                needs.MayFail = true;
                Examine(unary.Operand, Use.Argument);
                return Term.Computed;
            case ExpressionType.Not or ExpressionType.OnesComplement when IsCheckedInteger(unary.Type):
                Examine(unary.Operand, Use.Argument);
                return Term.Computed;
            case ExpressionType.Negate when Examine(unary.Operand, Use.Argument) is { PgType: "interval" } span:
                return span with { IsColumn = false };
            case ExpressionType.Convert:
                return ConvertGuard.Examine(unary, use, needs, this);
            default:
                throw SqlGuard.Refused($"{unary.OperatorType} of {unary.Type.Name}");
        }
    }

    private Term Case(CaseExpression choice, Use use)
    {
        var inner = use == Use.Project ? Use.Project : Use.Argument;
        Term? result = null;
        if (choice.Operand is { } operand) Examine(operand, Use.Argument);
        foreach (var clause in choice.WhenClauses)
        {
            Examine(clause.Test, Use.Argument);
            var term = Choice(clause.Result, inner);
            result = result is { } before ? Either(before, term) : term with { IsColumn = false };
        }
        if (choice.ElseResult is { } otherwise) result = Either(result!.Value, Choice(otherwise, inner));
        return result!.Value.NeedsCollation && use != Use.Project ? throw SqlGuard.Refused("a choice between values of a collation") : result.Value;
    }

    /// <summary>What is one or the other; a constant or a parameter is of the type of what it stands beside.</summary>
    private static Term Either(Term one, Term other) => one.With(other) is var both && both.PgType is null && IsInstant(one.PgType ?? other.PgType) && (one == Term.Computed || other == Term.Computed)
        ? both with { PgType = one.PgType ?? other.PgType }
        : both;

    private static bool IsInstant(string? pgType) => pgType is "timestamp with time zone" or "timestamp without time zone";

    /// <summary>One of the values that a choice is made of. PostgreSQL's provider gives an integer among them the scale of a decimal beside it.</summary>
    public Term Choice(SqlExpression value, Use use) => value is SqlUnaryExpression { OperatorType: ExpressionType.Convert } convert && Nullable.GetUnderlyingType(convert.Type) is var plain
        && (plain ?? convert.Type) == typeof(decimal) && (Nullable.GetUnderlyingType(convert.Operand.Type) ?? convert.Operand.Type) != typeof(decimal)
            ? throw SqlGuard.Refused("an integer in the place of a decimal")
            : Examine(value, use);

    private Term In(InExpression contains)
    {
        var item = Examine(contains.Item, Use.Compare);
        var type = Nullable.GetUnderlyingType(contains.Item.Type) ?? contains.Item.Type;
        if (item.NeedsCollation && !item.IsColumn) throw SqlGuard.Refused("looking up a computed value of its column's collation");
        if (type == typeof(decimal) && !item.IsColumn) throw SqlGuard.Refused("looking up computed decimals");
        if (item.PgType is null && IsTemporal(type)) throw SqlGuard.Refused("looking up computed times");
        if (item.PgType is "json" or "jsonb" or "xml") throw SqlGuard.Refused("looking up documents");
        if (contains.Subquery is { } subquery)
        {
            var found = tables.Select(subquery)[0];
            if (item.PgType is { } one && found.PgType is { } other && one != other && !(IsInteger(one) && IsInteger(other)) && !(IsText(one) && IsText(other)))
                throw SqlGuard.Refused($"looking up {one} among {other}");
            if (found.NeedsCollation && !item.IsColumn) throw SqlGuard.Refused("looking up among values of a collation");
        }
        foreach (var value in contains.Values ?? []) Examine(value, Use.Compare);
        return Term.Computed;
    }

    private Term Json(JsonScalarExpression json)
    {
        if (json.Json is not ColumnExpression column || tables.Resolve(column) is not { PgType: { } whole, IsColumn: true } document)
            throw SqlGuard.Refused("a part of a computed document");
        foreach (var segment in json.Path)
            if (segment.ArrayIndex is not (null or SqlConstantExpression { Value: int and >= 0 })) throw SqlGuard.Refused("a computed place in a document");
        if (json.TypeMapping is JsonTypeMapping || json.Type == typeof(JsonTypePlaceholder)) return document with { IsColumn = whole == "jsonb" };
        var type = Nullable.GetUnderlyingType(json.Type) ?? json.Type;
        return type == typeof(string) || type == typeof(int) || type == typeof(long) || type == typeof(bool)
            ? Term.Computed
            : throw SqlGuard.Refused($"a {type.Name} in a document");
    }

    internal static bool IsCheckedInteger(Type type) => (Nullable.GetUnderlyingType(type) ?? type) is var plain && (plain == typeof(int) || plain == typeof(long));

    private static bool IsDouble(Type type) => (Nullable.GetUnderlyingType(type) ?? type) == typeof(double);

    private static bool SurvivesStorage(SqlConstantExpression constant)
    {
        if (constant is not { Value: { } value, TypeMapping.Converter: { } converter } || (value is not (TimeOnly or TimeSpan) && value.GetType().Namespace != "NodaTime")) return true;
        try
        {
            return Equals(converter.ConvertFromProvider(converter.ConvertToProvider(value)), value);
        }
        catch (NotSupportedException)
        {
            return true; // the query fails as such, and the primary says why
        }
    }

    /// <summary>A value that can't be null, whatever the rows are.</summary>
    internal static bool IsNeverNull(SqlExpression value) => value switch
    {
        ColumnExpression column => !column.IsNullable,
        SqlConstantExpression constant => constant.Value is not null,
        SqlParameterExpression parameter => !parameter.IsNullable,
        SqlFunctionExpression { Name: "COALESCE", Arguments: { } choices } => choices.Any(IsNeverNull),
        SqlBinaryExpression { OperatorType: ExpressionType.Coalesce } choice => IsNeverNull(choice.Left) || IsNeverNull(choice.Right),
        SqlUnaryExpression { OperatorType: ExpressionType.Convert } convert => IsNeverNull(convert.Operand),
        _ => false,
    };

    /// <summary>A divisor that can't be zero, and that makes nothing overflow.</summary>
    internal static bool IsSafeDivisor(SqlExpression divisor) => divisor is SqlConstantExpression { Value: int and not (0 or -1) or long and not (0L or -1L) };

    /// <summary>A literal that is one number, whether it is read as a float or as a double.</summary>
    private static bool IsExact(float number) => number == MathF.Truncate(number) && MathF.Abs(number) < 1 << 24;

    private static bool IsInteger(string pgType) => pgType is "smallint" or "integer" or "bigint";

    /// <summary>An array of which equal values are stored as equal text.</summary>
    private static bool HasOneText(Term term) => term is { IsColumn: true, PgType: "smallint[]" or "integer[]" or "bigint[]" or "boolean[]" };

    private static bool IsText(string pgType) => pgType is "text" or "character varying";

    private static bool IsTemporal(Type type) =>
        type == typeof(DateTime) || type == typeof(DateTimeOffset) || type == typeof(TimeSpan) || type == typeof(DateOnly) || type == typeof(TimeOnly);
}
