using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore.Replicas;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>Where a context's query went, kept without describing it.</summary>
internal readonly record struct LastRoute(RouteReason Reason, string Detail, ReplicaSnapshot? Snapshot)
{
    public QueryRoute Describe(DbSyncScope scope)
    {
        TimeSpan? age = Snapshot?.BeatAt is { } beat && scope.Link.Facts is { } facts ? scope.Settings.Time.GetUtcNow() + facts.ClockOffset - beat : null;
        return new QueryRoute(Reason, Detail, Snapshot?.Position.ToString(), age < TimeSpan.Zero ? TimeSpan.Zero : age);
    }
}
