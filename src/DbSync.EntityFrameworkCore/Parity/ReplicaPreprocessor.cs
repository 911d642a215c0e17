using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>Judges a query again after the application's own query interceptors have changed it.</summary>
internal sealed class ReplicaPreprocessorFactory(
    QueryTranslationPreprocessorDependencies dependencies,
    RelationalQueryTranslationPreprocessorDependencies relationalDependencies) : IQueryTranslationPreprocessorFactory
{
    public QueryTranslationPreprocessor Create(QueryCompilationContext queryCompilationContext) =>
        new Preprocessor(dependencies, relationalDependencies, queryCompilationContext);

    private sealed class Preprocessor(
        QueryTranslationPreprocessorDependencies dependencies,
        RelationalQueryTranslationPreprocessorDependencies relationalDependencies,
        QueryCompilationContext context) : RelationalQueryTranslationPreprocessor(dependencies, relationalDependencies, context)
    {
        public override Expression Process(Expression query) =>
            LinqAllowList.Refuse(query, QueryCompilationContext.Model) is { } why ? throw new NotRoutableException(RouteReason.NotAlike, why) : base.Process(query);
    }
}
