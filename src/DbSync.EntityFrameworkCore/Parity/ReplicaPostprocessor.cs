using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Sqlite.Query.Internal;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>Looks at the finished SQL tree before it becomes text: what isn't known to be alike stops the compilation.</summary>
internal sealed class ReplicaPostprocessorFactory(
    QueryTranslationPostprocessorDependencies dependencies,
    RelationalQueryTranslationPostprocessorDependencies relationalDependencies,
    ReplicaCompilation compilation) : IQueryTranslationPostprocessorFactory
{
    public QueryTranslationPostprocessor Create(QueryCompilationContext queryCompilationContext) =>
        new Postprocessor(dependencies, relationalDependencies, (RelationalQueryCompilationContext)queryCompilationContext, compilation);

    private sealed class Postprocessor(
        QueryTranslationPostprocessorDependencies dependencies,
        RelationalQueryTranslationPostprocessorDependencies relationalDependencies,
        RelationalQueryCompilationContext context,
        ReplicaCompilation compilation) : SqliteQueryTranslationPostprocessor(dependencies, relationalDependencies, context)
    {
        public override Expression Process(Expression query)
        {
            var processed = base.Process(query);
            var aliases = new TableAliases();
            aliases.Visit(processed);
            new SqlGuard(compilation.Needs, aliases).Check(processed);
            compilation.Needs.Bindings = KeyBindings.Of(processed);
            if (compilation.Tracks) new TrackingGuard(compilation.Needs, compilation.Main).Visit(processed);
            return processed;
        }
    }
}
