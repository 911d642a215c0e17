using System.Data;
using System.Data.Common;
using System.Text.Json;
using System.Transactions;
using DbSync.EntityFrameworkCore.Consistency;
using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore.Reporting;
using DbSync.EntityFrameworkCore.Replicas;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>Decides, for each execution of a query, who answers.</summary>
internal static class Router
{

    /// <summary>A lease on the replica, or null for the primary.</summary>
    /// <exception cref="DbSyncException">DBS7001 when the query or the context insists on the replica, DBS7002 when it waited in vain.</exception>
    public static async ValueTask<ReplicaLease?> EnterAsync<TResult>(QueryShape<TResult> shape, QueryContext context, DbSyncScope scope)
    {
        var answer = await DecideAsync(shape, scope, context.Parameters, context.CancellationToken).ConfigureAwait(false);
        scope.LastRoute = new LastRoute(answer.Reason, answer.Detail, answer.Lease?.Snapshot);
        QueryRecorder.Current?.Note(shape, scope, answer.Reason, answer.Detail);
        if (answer.Lease is not null)
        {
            answer.Lease.Activity ??= Telemetry.Activities.StartActivity("dbsync.read")?.SetTag("dbsync.position", answer.Lease.Snapshot.Position.ToString());
            scope.Log.Routed(answer.Lease.Snapshot.Position);
            return answer.Lease;
        }
        Refuse(shape, scope, answer.Reason, answer.Detail);
        return null;
    }

    /// <summary>Where the query would go now, and why.</summary>
    public static ValueTask<GateAnswer> DecideAsync<TResult>(
        QueryShape<TResult> shape, DbSyncScope scope, IReadOnlyDictionary<string, object?> parameters, CancellationToken cancellationToken) =>
        scope.Mode != RoutingMode.On && shape.Plan.Primary is null
            ? new(new GateAnswer(RouteReason.SwitchedOff, $"routing is {scope.Mode}"))
            : DecideAsync(shape, scope, shape.Plan.Consistency ?? scope.Level, parameters, cancellationToken);

    /// <summary>Where the query would go now at a level, if routing is on.</summary>
    public static async ValueTask<GateAnswer> DecideAsync<TResult>(
        QueryShape<TResult> shape, DbSyncScope scope, ReadConsistency consistency, IReadOnlyDictionary<string, object?> parameters, CancellationToken cancellationToken)
    {
        if (shape.Plan.Primary is { } primary) return new(primary.Reason, primary.Detail);
        if (scope.Locks is { Any: true })
        {
            if (!shape.Plan.MustRoute) return new(RouteReason.Locked, "a lock is attached to the context");
            consistency = ReadConsistency.Strong; // a staler read under a lock is a lost update
        }

        if (HoldsTransaction(scope)) return new(RouteReason.Transaction, "a transaction is open");
        if (scope.HasConnectionInterceptors) return new(RouteReason.Interceptors, "the context has connection interceptors");
        if (!scope.Settings.TrustConnectionInterceptors && scope.Link.KeepsSettings)
            return new(RouteReason.Interceptors, "the context's connections keep what was set on them (No Reset On Close)");
        var replica = shape.ForReplica(scope);
        if (replica.Refusal is { } refusal) return new(refusal.Reason, refusal.Detail);
        if (replica.Needs!.Tracked is { } tracked && !scope.Settings.RouteTrackedReads)
            return new(RouteReason.Tracking, $"it tracks {tracked}; say AsNoTracking() to have it routed");
        if (scope.Primary.DbConnection.State != ConnectionState.Closed) return new(RouteReason.ConnectionOpen, "the context's connection is held open");
        try
        {
            return await ReplicaGate.EnterAsync(scope, replica.Needs!, consistency, parameters, shape.IsAsync, cancellationToken).ConfigureAwait(false);
        }
        catch (DbException)
        {
            return ReplicaGate.Refuse(scope.Settings, "the primary could not be asked for its position");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new(RouteReason.Failed, $"the data directory can't be read ({exception.GetType().Name})");
        }
        catch (DbSyncException exception) when (exception.Code != ErrorCodes.NotFreshEnough)
        {
            return new(RouteReason.Failed, exception.Code);
        }
    }

    /// <summary>
    /// True when the replica failed in a way that the primary may not: then it answers. A cancellation, and what EF Core says about the rows
    /// themselves, stay what they are.
    /// </summary>
    public static bool IsReplicaFailure(Exception exception) => exception is
        SqliteException or NotSupportedException or FormatException or InvalidCastException or OverflowException or JsonException or ObjectDisposedException
        or KeyNotFoundException or IOException or UnauthorizedAccessException or DbSyncException { Code: ErrorCodes.StorageFailed };

    /// <summary>True when it is the storage that failed, whatever the application's own code does with the rows.</summary>
    public static bool IsStorageFailure(Exception exception) => exception is SqliteException or DbSyncException { Code: ErrorCodes.StorageFailed };

    /// <summary>
    /// Notes a failure of the replica before the first row. One that is the shape's own makes the shape the primary's for good; files that can't be read are
    /// set aside.
    /// </summary>
    public static void Failed<TResult>(QueryShape<TResult> shape, DbSyncScope scope, ReplicaLease lease, Exception exception)
    {
        SetAside(scope, lease, exception);
        const int Error = 1; // SQLITE_ERROR: no such function, table, column or collation; raised by a function, it has the text of that
        var ownFault = exception is SqliteException { SqliteErrorCode: Error } sqlite && sqlite.Message.Contains("no such", StringComparison.Ordinal);
        if (ownFault) shape.GiveUp("SQLite lacks something that the query uses");
        var detail = $"the replica failed ({exception.GetType().Name})";
        scope.LastRoute = new LastRoute(RouteReason.Failed, detail, null);
        Refuse(shape, scope, RouteReason.Failed, detail);
    }

    /// <summary>
    /// Makes of a failure after rows have been given out, which nothing can take back or go on with from another position, what the same failure of the
    /// primary would be: a transient one, which EF Core's retrying strategies repeat. The next try is the primary's.
    /// </summary>
    public static NpgsqlException Broke<TResult>(QueryShape<TResult> shape, DbSyncScope scope, ReplicaLease lease, Exception exception)
    {
        lease.Fail();
        if (!SetAside(scope, lease, exception)) shape.GiveUp("the replica failed among its rows");
        scope.Log.Refused(RouteReason.Failed);
        var cause = exception as DbSyncException ?? new DbSyncException(
            ErrorCodes.StorageFailed, "The replica failed while its rows were read.", "Run the query again: the primary answers it.", exception);
        return new NpgsqlException(cause.Message, new IOException(cause.Message, cause)); // Npgsql calls an IOException's transient
    }

    private static bool SetAside(DbSyncScope scope, ReplicaLease lease, Exception exception)
    {
        var isDamaged = exception is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB };
        var isUnreadable = exception is IOException or UnauthorizedAccessException or DbSyncException { Code: ErrorCodes.StorageFailed }
            or SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_IOERR or SQLitePCL.raw.SQLITE_CANTOPEN or SQLitePCL.raw.SQLITE_PERM };
        if (isDamaged || isUnreadable) scope.Directory.SetAside(lease.Connection.Files, isDamaged);
        return isDamaged || isUnreadable;
    }

    public static DbSyncScope ScopeOf(QueryContext context) => context.Context.GetInfrastructure().GetRequiredService<DbSyncScope>();

    private static bool HoldsTransaction(DbSyncScope scope) =>
        Transaction.Current is not null || scope.Primary.CurrentTransaction is not null || (scope.Primary as ITransactionEnlistmentManager)?.EnlistedTransaction is not null;

    private static void Refuse<TResult>(QueryShape<TResult> shape, DbSyncScope scope, RouteReason reason, string detail)
    {
        var belongsThere = reason is RouteReason.SwitchedOff or RouteReason.UsePrimary or RouteReason.Tracking or RouteReason.Statement
            or RouteReason.Transaction or RouteReason.ConnectionOpen or RouteReason.Locked;
        scope.Log.Refused(reason);
        if (!belongsThere && shape.IsNews()) scope.Log.FellBack(scope.Context, reason, detail);
        var insists = shape.Plan.MustRoute && reason is not RouteReason.SwitchedOff;
        if (insists || (scope.Settings.ThrowOnFallback && !belongsThere))
            throw new DbSyncException(ErrorCodes.NotRouted, $"The query isn't answered by the replica ({reason}): {detail}.", "See 'dbsync explain DBS7001'.");
    }
}
