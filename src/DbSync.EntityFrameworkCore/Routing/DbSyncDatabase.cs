using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Internal;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>
/// The hook: EF Core asks here once for each query shape, after it has taken out the parameters, and caches what it gets. Saving is untouched but
/// for the mark on the session.
/// </summary>
internal sealed class DbSyncDatabase(
    DatabaseDependencies dependencies, RelationalDatabaseDependencies relationalDependencies, ICurrentDbContext current, DbSyncScope scope)
    : RelationalDatabase(dependencies, relationalDependencies)
{
    public override Func<QueryContext, TResult> CompileQuery<TResult>(Expression query, bool async) =>
        QueryExecutors.Create(new QueryShape<TResult>(QueryPlan.Of(query, current.Context), async));

    public Func<QueryContext, TResult> CompileForPrimary<TResult>(Expression query, bool async) => base.CompileQuery<TResult>(query, async);

    public override int SaveChanges(IList<IUpdateEntry> entries)
    {
        try
        {
            return base.SaveChanges(entries);
        }
        finally
        {
            scope.MarkDirty(); // also when it failed: the commit may have gone through all the same
        }
    }

    public override async Task<int> SaveChangesAsync(IList<IUpdateEntry> entries, CancellationToken cancellationToken = default)
    {
        try
        {
            return await base.SaveChangesAsync(entries, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            scope.MarkDirty();
        }
    }
}
