using System.Linq.Expressions;
using System.Text;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>A query without names and constants: two that differ only in those have one key. What is left are operations and types.</summary>
internal sealed class ShapeKey : ExpressionVisitor
{
    private readonly StringBuilder _text = new();

    public static string Of(Expression query)
    {
        var visitor = new ShapeKey();
        visitor.Visit(query);
        return visitor._text.ToString();
    }

    public override Expression? Visit(Expression? node)
    {
        if (node is null) return null;
        if (node is ConstantExpression or QueryParameterExpression or ParameterExpression)
        {
            Add("v", node.Type);
            return node;
        }
        if (node is QueryRootExpression)
        {
            _text.Append("root");
            return node;
        }
        _text.Append('(').Append(node.NodeType);
        switch (node)
        {
            case MethodCallExpression call:
                _text.Append(' ').Append(call.Method.Name);
                break;
            case MemberExpression member:
                if (member.Member.DeclaringType!.Namespace?.StartsWith("System", StringComparison.Ordinal) == true) _text.Append(' ').Append(member.Member.Name);
                Add("", node.Type);
                break;
            case UnaryExpression:
                Add("", node.Type);
                break;
            default:
                break;
        }
        base.Visit(node);
        _text.Append(')');
        return node;
    }

    protected override Expression VisitExtension(Expression node) => node;

    private void Add(string kind, Type type)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        var name = plain.Namespace?.StartsWith("System", StringComparison.Ordinal) == true && !plain.IsGenericType ? plain.Name : plain.IsEnum ? "enum" : "object";
        _text.Append(' ').Append(kind).Append(':').Append(name).Append(plain == type ? "" : "?");
    }

    /// <summary>Notes the keys of the queries that a context compiles.</summary>
    internal sealed class Recorder : IQueryExpressionInterceptor
    {
        public List<string> Keys { get; } = [];

        public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData)
        {
            Keys.Add(Of(queryExpression));
            return queryExpression;
        }
    }
}
