using System.Collections.Concurrent;
using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore.Routing;

namespace DbSync.EntityFrameworkCore.Reporting;

/// <summary>Notes the shapes of the queries that run, each once, and whether a replica can answer them: for this flow, or for the whole process into a file.</summary>
internal sealed class QueryRecorder
{
    private static readonly AsyncLocal<QueryRecorder?> Ambient = new();
    private static readonly QueryRecorder? OfProcess = Environment.GetEnvironmentVariable(QueryRecord.EnvironmentVariable) is { Length: > 0 } path ? new QueryRecorder(path) : null;

    private readonly ConcurrentDictionary<(string Shape, RouteReason Reason), QueryRecord> _seen = new();
    private readonly string? _path;
    private readonly DbSyncScope? _only;
    private readonly Lock _gate = new();

    public QueryRecorder()
    {
    }

    /// <param name="only">The context whose queries alone are noted.</param>
    public QueryRecorder(DbSyncScope only) => _only = only;

    private QueryRecorder(string path) => _path = path;

    /// <summary>The one of this flow, else the process's; null when nobody wants to know.</summary>
    public static QueryRecorder? Current => Ambient.Value ?? OfProcess;

    public IReadOnlyList<QueryRecord> Records => [.. _seen.Values.OrderBy(r => r.Shape, StringComparer.Ordinal)];

    public void Enter() => Ambient.Value = this;

    /// <summary>Notes a query that is about to run. Whether the replica is there, fresh and switched on now is no property of its shape.</summary>
    public void Note<TResult>(QueryShape<TResult> shape, DbSyncScope scope, RouteReason reason, string detail)
    {
        if (_only is not null && scope != _only) return;
        if (reason is RouteReason.SwitchedOff && shape.Plan.Primary is null && shape.ForReplica(scope) is var replica)
            (reason, detail) = replica.Refusal ?? (replica.Needs!.Tracked is { } tracked && !scope.Settings.RouteTrackedReads ? (RouteReason.Tracking, $"it tracks {tracked}") : (RouteReason.Replica, ""));
        var routed = reason is RouteReason.Replica or RouteReason.NoReplica or RouteReason.NotFresh or RouteReason.Copying or RouteReason.Failed;
        var text = ShapeText.Of(shape.Plan.Query);
        var record = new QueryRecord(text, routed, routed ? nameof(RouteReason.Replica) : reason.ToString(), routed ? "" : detail);
        if (!_seen.TryAdd((text, routed ? RouteReason.Replica : reason), record) || _path is null) return;
        lock (_gate) QueryRecord.Append(_path, record);
    }
}
