using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.Internal;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Runs what a case asks at once by EF Core's asynchronous path, as if it had been awaited.</summary>
internal sealed class AsyncQueries(
    IQueryContextFactory contexts, ICompiledQueryCache cache, ICompiledQueryCacheKeyGenerator keys, IDatabase database, IDiagnosticsLogger<DbLoggerCategory.Query> logger,
    ICurrentDbContext current, IEvaluatableExpressionFilter filter, Microsoft.EntityFrameworkCore.Metadata.IModel model)
    : QueryCompiler(contexts, cache, keys, database, logger, current, filter, model)
{
    private static readonly System.Reflection.MethodInfo Rows = typeof(AsyncQueries).GetMethod(nameof(RowsOf), System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)!;

    public override TResult Execute<TResult>(Expression query)
    {
        if (typeof(TResult).IsGenericType && typeof(TResult).GetGenericTypeDefinition() == typeof(IEnumerable<>))
            return (TResult)Rows.MakeGenericMethod(typeof(TResult).GetGenericArguments()).Invoke(this, [query])!;
        return ExecuteAsync<Task<TResult>>(query, CancellationToken.None).GetAwaiter().GetResult();
    }

    private IEnumerable<T> RowsOf<T>(Expression query) => ExecuteAsync<IAsyncEnumerable<T>>(query, CancellationToken.None).ToBlockingEnumerable();
}
