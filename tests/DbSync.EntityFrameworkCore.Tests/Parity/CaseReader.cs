using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Reads what a case asks, as the allow-list sees it, without a server: EF Core hands over the tree before it compiles it.</summary>
internal sealed class CaseReader : IDisposable
{
    private readonly Catcher _catcher = new();
    private readonly ShopContext _db;

    // A provider of its own: a query that is compiled already isn't handed over.
    public CaseReader() => _db = new ShopContext(ShopFixture.Options("Host=nowhere").EnableServiceProviderCaching(false).AddInterceptors(_catcher).Options);

    /// <summary>The case's first query; null when it has none that EF Core compiles.</summary>
    public Expression? Read(ParityCase query)
    {
        _catcher.Tree = null;
        _ = Answers.Of(() => query.Run(_db));
        return _catcher.Tree;
    }

    /// <summary>The methods and members that a tree uses, as the allow-list names them.</summary>
    public static IReadOnlySet<string> UsedIn(Expression tree)
    {
        var members = new Members();
        members.Visit(tree);
        return members.Used;
    }

    public void Dispose() => _db.Dispose();

    private sealed class Catcher : IQueryExpressionInterceptor
    {
        public Expression? Tree { get; set; }

        public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData)
        {
            Tree ??= queryExpression;
            throw new InvalidOperationException("It isn't asked of anyone.");
        }
    }

    private sealed class Members : ExpressionVisitor
    {
        public HashSet<string> Used { get; } = new(StringComparer.Ordinal);

        protected override Expression VisitMethodCall(MethodCallExpression node)
        {
            Used.Add($"{node.Method.DeclaringType?.Name}.{node.Method.Name}");
            return base.VisitMethodCall(node);
        }

        protected override Expression VisitMember(MemberExpression node)
        {
            Used.Add($"{node.Member.DeclaringType?.Name}.{node.Member.Name}");
            return base.VisitMember(node);
        }

        protected override Expression VisitBinary(BinaryExpression node)
        {
            if (node.Method is { } method) Used.Add($"{method.DeclaringType?.Name}.{method.Name}");
            return base.VisitBinary(node);
        }

        protected override Expression VisitExtension(Expression node) => node is Microsoft.EntityFrameworkCore.Query.QueryRootExpression ? node : base.VisitExtension(node);
    }
}
