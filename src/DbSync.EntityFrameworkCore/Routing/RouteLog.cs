using System.Diagnostics.Metrics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Logging;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>Counts where queries go, and reports once for each shape why it isn't routed.</summary>
internal sealed class RouteLog(ILoggingOptions options)
{
    private static readonly Counter<long> Queries = Telemetry.Meter.CreateCounter<long>(
        "dbsync.ef.queries", "{query}", "Executed queries by who answered (dbsync.route) and why (dbsync.reason).");

    private static readonly Counter<long> Decisions = Telemetry.Meter.CreateCounter<long>(
        "dbsync.ef.decisions", "{shape}", "Query shapes of which it was decided whether a replica can answer them: each once, however often it runs.");

    private static readonly KeyValuePair<string, object?> ToReplica = new("dbsync.route", "replica");
    private static readonly KeyValuePair<string, object?> ToPrimary = new("dbsync.route", "primary");

    private static readonly KeyValuePair<string, object?>[] Reasons =
        [.. Enum.GetNames<RouteReason>().Select(n => new KeyValuePair<string, object?>("dbsync.reason", n))];

    private readonly EventDefinition<RouteReason, string> _fallback = new(
        options, DbSyncEventId.QueryFellBack, LogLevel.Information, "DbSyncEventId.QueryFellBack",
        level => LoggerMessage.Define<RouteReason, string>(
            level, DbSyncEventId.QueryFellBack,
            "A query goes to the primary ({Reason}): {Detail}. Reported once for each query shape; the answers are the primary's."));

    private readonly EventDefinition<int, int, string> _differs = new(
        options, DbSyncEventId.ShadowDiffers, LogLevel.Warning, "DbSyncEventId.ShadowDiffers",
        level => LoggerMessage.Define<int, int, string>(
            level, DbSyncEventId.ShadowDiffers,
            "In the shadow, the replica answered a query differently ({PrimaryRows} rows from the primary, {ReplicaRows} from the replica). Please report its shape: {Shape}"));

    /// <summary>The place where an event goes to when it happens in a test or a report.</summary>
    public static AsyncLocal<Action<RouteReason, Lsn>?> Observer { get; } = new();

    /// <summary>Counts a shape that was judged.</summary>
    public static void Decided() => Decisions.Add(1);

    public void Routed(Lsn position)
    {
        Observer.Value?.Invoke(RouteReason.Replica, position);
        if (Queries.Enabled) Queries.Add(1, ToReplica, Reasons[0]);
    }

    public void Refused(RouteReason reason)
    {
        Observer.Value?.Invoke(reason, Lsn.Zero);
        if (Queries.Enabled) Queries.Add(1, ToPrimary, Reasons[(int)reason]);
    }

    public void FellBack(DbContext context, RouteReason reason, string detail) => Report(
        context, _fallback, logger => _fallback.Log(logger, reason, detail), () => _fallback.GenerateMessage(reason, detail));

    /// <param name="context">The context.</param>
    /// <param name="primaryRows">How many rows the primary gave.</param>
    /// <param name="replicaRows">How many the replica gave.</param>
    /// <param name="shape">The query without its values.</param>
    public void Differs(DbContext context, int primaryRows, int replicaRows, string shape) => Report(
        context, _differs, logger => _differs.Log(logger, primaryRows, replicaRows, shape), () => _differs.GenerateMessage(primaryRows, replicaRows, shape));

    /// <summary>To the log, to diagnostic listeners and to LogTo, as EF Core's own events go.</summary>
    private static void Report(
        DbContext context, EventDefinitionBase definition, Action<IDiagnosticsLogger<DbLoggerCategory.Query>> log, Func<string> message)
    {
        var logger = context.GetService<IDiagnosticsLogger<DbLoggerCategory.Query>>();
        if (logger.ShouldLog(definition)) log(logger);
        if (logger.NeedsEventData(definition, out var hasListeners, out var hasSimpleLog))
            logger.DispatchEventData(definition, new EventData(definition, (_, _) => message()), hasListeners, hasSimpleLog);
    }
}
