using DbSync.EntityFrameworkCore.Reporting;

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
        var recorder = new QueryRecorder();
        recorder.Enter(); // for this flow only: the caller's own isn't touched
        await queries().ConfigureAwait(false);
        return new QueryReport([.. recorder.Records.Select(r => new ReportedQuery(r.Shape, Enum.Parse<RouteReason>(r.Reason), r.Detail))]);
    }
}
