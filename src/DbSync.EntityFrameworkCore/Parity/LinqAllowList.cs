using System.Linq.Expressions;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>
/// The methods and members of .NET that a routed query may call. Both providers translate them alike, or both leave them to .NET; what isn't
/// here goes to the primary, because one provider might translate what the other lets .NET compute. Methods of the application itself are
/// .NET's on both sides, unless they are mapped to database functions.
/// </summary>
internal static class LinqAllowList
{
    private static readonly HashSet<Type> Operators =
    [
        typeof(Queryable), typeof(Enumerable), typeof(EntityFrameworkQueryableExtensions), typeof(RelationalQueryableExtensions),
    ];

    // Each has a parity test (tests/DbSync.EntityFrameworkCore.Tests/Parity). "Type.Member", without parameters: what a particular overload
    // becomes in SQL is judged there.
    internal static readonly HashSet<string> Members = new(StringComparer.Ordinal)
    {
        "String.Contains", "String.StartsWith", "String.EndsWith", "String.ToLower", "String.ToUpper", "String.Length", "String.Concat",
        "String.IsNullOrEmpty", "String.Substring", "String.IndexOf", "String.Replace", "String.Trim", "String.TrimStart", "String.TrimEnd", "String.Equals",
        "String.Join", "String.Normalize", "String.Compare", "String.CompareTo", "String.op_Equality", "String.op_Inequality",
        "Int32.Equals", "Int64.Equals", "Int16.Equals", "Boolean.Equals", "Guid.Equals", "DateTime.Equals", "DateOnly.Equals", "Decimal.Equals", "Object.Equals",
        "Int32.CompareTo", "Int64.CompareTo", "DateTime.CompareTo", "DateOnly.CompareTo",
        "Int32.ToString", "Int64.ToString", "Int16.ToString",
        "Math.Abs", "Math.Max", "Math.Min", "Math.Floor", "Math.Ceiling", "Math.Truncate", "Math.Sqrt", "Decimal.Floor", "Decimal.Ceiling", "Decimal.Truncate",
        "DateTime.Year", "DateTime.Month", "DateTime.Day", "DateTime.Hour", "DateTime.Minute", "DateTime.Second", "DateTime.DayOfYear", "DateTime.DayOfWeek", "DateTime.Date",
        "DateOnly.FromDateTime", "DateOnly.Year", "DateOnly.Month", "DateOnly.Day", "DateOnly.DayOfYear", "DateOnly.DayOfWeek",
        "DateTime.Microsecond", "TimeOnly.Hour", "TimeOnly.Minute", "TimeOnly.Millisecond", "TimeOnly.ToTimeSpan", "TimeOnly.FromDateTime", // not Second: PostgreSQL rounds it, up to 60
        "Nullable`1.Value", "Nullable`1.HasValue", "Nullable`1.GetValueOrDefault",
        "List`1.Contains", "List`1.Count", "HashSet`1.Contains", "HashSet`1.Count", "ICollection`1.Contains", "ICollection`1.Count", "Collection`1.Count",
        "EF.Property", "EF.Constant", "EF.Parameter", "DbFunctionsExtensions.Like",
        "IGrouping`2.Key", "Tuple.Create",
    };

    // PostgreSQL computes these, and .NET on the replica: there null is no value but an exception. (EF Core lets members of null be null.)
    private static readonly HashSet<string> ComputedHere = new(StringComparer.Ordinal)
    {
        "TimeOnly.ToTimeSpan", "TimeOnly.FromDateTime", "Math.Floor", "Math.Ceiling", "Math.Truncate",
        "Decimal.Floor", "Decimal.Ceiling", "Decimal.Truncate",
    };

    /// <summary>Null when every call is known; otherwise the first that isn't, for people.</summary>
    public static string? Refuse(Expression query, IModel model)
    {
        var visitor = new Visitor(model);
        visitor.Visit(query);
        return visitor.Refused ?? (visitor is { ComputesHere: true, JoinsOuter: true } ? "what .NET computes of an outer join's rows is not known to be alike" : null);
    }

    /// <summary>Finds a value that is taken out of what may be null: of a nullable, or of another entity.</summary>
    private sealed class NullFinder : ExpressionVisitor
    {
        public bool Found { get; private set; }

        protected override Expression VisitMember(MemberExpression node)
        {
            Found |= node.Expression is not (null or ParameterExpression or ConstantExpression);
            return node;
        }

        protected override Expression VisitMethodCall(MethodCallExpression node)
        {
            Found = true;
            return node;
        }
    }

    private sealed class Visitor(IModel model) : ExpressionVisitor
    {
        public string? Refused { get; private set; }

        public bool ComputesHere { get; private set; }

        public bool JoinsOuter { get; private set; }

        protected override Expression VisitMethodCall(MethodCallExpression node)
        {
            var method = node.Method;
            if (!Operators.Contains(method.DeclaringType!) && !Allows(method)) Refused ??= $"{method.DeclaringType?.Name}.{method.Name}() is not known to be alike";
            JoinsOuter |= method.Name is "LeftJoin" or "RightJoin" or "GroupJoin" or "DefaultIfEmpty" && Operators.Contains(method.DeclaringType!);
            Compute(method.DeclaringType, method, node.Arguments.FirstOrDefault() ?? node.Object);
            return base.VisitMethodCall(node);
        }

        protected override Expression VisitMember(MemberExpression node)
        {
            if (node.Member.DeclaringType is { } type && IsOfPlatform(type) && !Members.Contains(NameOf(type, node.Member)) && !IsTupleItem(type))
                Refused ??= $"{type.Name}.{node.Member.Name} is not known to be alike";
            return base.VisitMember(node);
        }

        protected override Expression VisitNew(NewExpression node)
        {
            // A value computed from columns by a constructor of .NET (new DateTime(...)) is SQL in one provider and .NET in the other.
            if (node.Constructor?.DeclaringType is { } type && IsOfPlatform(type) && !node.Arguments.All(a => a is ConstantExpression) && !IsAnonymousOrTuple(type))
                Refused ??= $"new {type.Name}() is not known to be alike";
            return base.VisitNew(node);
        }

        protected override Expression VisitBinary(BinaryExpression node)
        {
            if (node.Method is { } method && IsOfPlatform(method.DeclaringType!) && !IsOperatorAlike(method))
                Refused ??= $"{method.DeclaringType?.Name}.{method.Name} is not known to be alike";
            return base.VisitBinary(node);
        }

        private void Compute(Type? type, MemberInfo member, Expression? operand)
        {
            if (type is null || operand is null || operand.Type == typeof(double) || !ComputedHere.Contains(NameOf(type, member))) return;
            ComputesHere = true;
            var nulls = new NullFinder();
            nulls.Visit(operand);
            if (nulls.Found) Refused ??= $"{type.Name}.{member.Name} of what may be null is not known to be alike";
        }

        private bool Allows(MethodInfo method)
        {
            if (method.DeclaringType is not { } type) return false;
            if (model.FindDbFunction(method) is not null || method.IsDefined(typeof(DbFunctionAttribute), inherit: true)) return false;
            if (IsOfPlatform(type) || IsOfEf(type)) return Members.Contains(NameOf(type, method));
            return true;
        }

        private static bool IsOperatorAlike(MethodInfo method) =>
            method.Name is "op_Equality" or "op_Inequality" or "op_LessThan" or "op_LessThanOrEqual" or "op_GreaterThan" or "op_GreaterThanOrEqual"
            || (method.DeclaringType == typeof(string) && method.Name == "Concat")
            || (method.DeclaringType == typeof(decimal) && method.Name is "op_Addition" or "op_Subtraction" or "op_Multiply");

        private static bool IsTupleItem(Type type) => type.FullName?.StartsWith("System.ValueTuple`", StringComparison.Ordinal) == true
            || type.FullName?.StartsWith("System.Tuple`", StringComparison.Ordinal) == true;

        private static bool IsAnonymousOrTuple(Type type) => IsTupleItem(type) || type.Name.StartsWith("<>", StringComparison.Ordinal)
            || (type.IsGenericType && type.GetGenericTypeDefinition() is var definition && (definition == typeof(KeyValuePair<,>) || definition == typeof(List<>)));

        private static bool IsOfPlatform(Type type) =>
            !type.Name.StartsWith("<>", StringComparison.Ordinal) && type.Assembly.GetName().Name is { } name
            && (name.StartsWith("System.", StringComparison.Ordinal) || name is "System" or "mscorlib" or "netstandard" or "NodaTime");

        private static bool IsOfEf(Type type) => type.Assembly.GetName().Name is { } name
            && (name.StartsWith("Microsoft.EntityFrameworkCore", StringComparison.Ordinal) || name.StartsWith("Npgsql", StringComparison.Ordinal));

        private static string NameOf(Type type, MemberInfo member) => $"{type.Name}.{member.Name}";
    }
}
