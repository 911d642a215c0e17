using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore.Reporting;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore;

/// <summary>Finds out, before production, which of an application's queries a replica can't answer.</summary>
public static class DbSyncTesting
{
    /// <summary>
    /// Runs queries of contexts with <c>UseDbSync</c> and lists their shapes. No replica is needed: without one the primary answers, and the report says
    /// what a replica could have. The same for a whole process, without code: the environment variable <c>DBSYNC_QUERIES</c> names a file for
    /// <c>dbsync queries</c>.
    /// </summary>
    /// <param name="queries">Runs them: a test, an endpoint, a job.</param>
    public static async Task<QueryReport> ReportAsync(Func<Task> queries)
    {
        ArgumentNullException.ThrowIfNull(queries);
        return await RecordAsync(new QueryRecorder(), queries).ConfigureAwait(false);
    }

    /// <summary>As the other one, for the queries of one context alone: <c>ReportAsync(context, db => db.Orders.ToListAsync())</c>.</summary>
    /// <param name="context">The context.</param>
    /// <param name="queries">Runs them; is given the context.</param>
    /// <typeparam name="TContext">The context's type.</typeparam>
    /// <exception cref="DbSyncException">DBS7003 when the context has no <c>UseDbSync</c>: it would have nothing to report.</exception>
    public static async Task<QueryReport> ReportAsync<TContext>(TContext context, Func<TContext, Task> queries)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(queries);
        return await RecordAsync(new QueryRecorder(DbSyncScope.Of(context)), () => queries(context)).ConfigureAwait(false);
    }

    private static async Task<QueryReport> RecordAsync(QueryRecorder recorder, Func<Task> queries)
    {
        recorder.Enter(); // for this flow only: the caller's own isn't touched
        await queries().ConfigureAwait(false);
        return new QueryReport([.. recorder.Records.Select(r => new ReportedQuery(r.Shape, Enum.Parse<RouteReason>(r.Reason), r.Detail))]);
    }
}
