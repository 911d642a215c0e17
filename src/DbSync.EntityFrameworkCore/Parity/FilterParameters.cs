using System.Diagnostics.CodeAnalysis;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Sqlite.Query.Internal;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>
/// What query filters take from their context, such as the tenant: EF Core evaluates that when the query runs, which is after the choice of the shard. So it
/// is noted here how to find it out before.
/// </summary>
internal sealed class FilterParameters
{
    private readonly Dictionary<string, Func<DbContext, object?>> _values = new(StringComparer.Ordinal);

    /// <summary>Finds a parameter's value.</summary>
    public bool TryEvaluate(string parameter, DbContext context, out object? value)
    {
        value = null;
        if (!_values.TryGetValue(parameter, out var evaluate)) return false;
        value = evaluate(context);
        return true;
    }

    /// <param name="parameter">Its name.</param>
    /// <param name="extractor">Takes the value from a <see cref="QueryContext"/>.</param>
    public void Add(string parameter, LambdaExpression extractor)
    {
        var context = Expression.Parameter(typeof(DbContext), "context");
        var ofContext = new OfContext(context);
        var body = ofContext.Visit(extractor.Body);
        if (!ofContext.NeedsMore) _values[parameter] = Expression.Lambda<Func<DbContext, object?>>(Expression.Convert(body, typeof(object)), context).Compile();
    }

    /// <summary>Takes the context itself where it is taken from the query's.</summary>
    private sealed class OfContext(ParameterExpression context) : ExpressionVisitor
    {
        public bool NeedsMore { get; private set; }

        protected override Expression VisitMember(MemberExpression node) =>
            node is { Member.Name: nameof(QueryContext.Context), Expression: { } of } && of.Type.IsAssignableTo(typeof(QueryContext)) ? context : base.VisitMember(node);

        protected override Expression VisitParameter(ParameterExpression node)
        {
            NeedsMore |= node != context;
            return node;
        }
    }
}

/// <summary>Makes compilations for the replica that note what filters take from the context.</summary>
internal sealed class FilterNotingContextFactory(
    QueryCompilationContextDependencies dependencies, RelationalQueryCompilationContextDependencies relationalDependencies, ReplicaCompilation compilation)
    : IQueryCompilationContextFactory
{
    public QueryCompilationContext Create(bool async) => new Noting(dependencies, relationalDependencies, compilation, async);

    [Experimental("EF9100")]
    public QueryCompilationContext CreatePrecompiled(bool async) =>
        throw new NotSupportedException("Queries are compiled for the replica while the application runs.");

    private sealed class Noting(
        QueryCompilationContextDependencies dependencies, RelationalQueryCompilationContextDependencies relationalDependencies, ReplicaCompilation compilation, bool async)
        : SqliteQueryCompilationContext(dependencies, relationalDependencies, async)
    {
        public override QueryParameterExpression RegisterRuntimeParameter(string name, LambdaExpression valueExtractor)
        {
            compilation.Needs.Filters.Add(name, valueExtractor);
            return base.RegisterRuntimeParameter(name, valueExtractor);
        }
    }
}
