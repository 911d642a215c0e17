using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore.Parity;
using DbSync.EntityFrameworkCore.Replicas;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>
/// One query shape in EF Core's cache of compiled queries, shared by all contexts: its plan, and its compiled forms for the primary and the
/// replica, each made when first needed. Holds no context and nothing of a context's scope.
/// </summary>
/// <typeparam name="TResult">What the compiled query gives: rows, a task, or one value.</typeparam>
internal sealed class QueryShape<TResult>(QueryPlan plan, bool async)
{
    private readonly Lock _gate = new();
    private volatile Func<QueryContext, TResult>? _primary;
    private volatile Replicated? _replica;
    private int _reported;

    public QueryPlan Plan => plan;

    public bool IsAsync => async;

    /// <summary>Runs on the primary.</summary>
    public TResult OnPrimary(QueryContext context)
    {
        if (_primary is null)
        {
            var database = (DbSyncDatabase)context.Context.GetInfrastructure().GetRequiredService<IDatabase>();
            lock (_gate) _primary ??= database.CompileForPrimary<TResult>(plan.Query, async);
        }
        return _primary(context);
    }

    /// <summary>The form for the replica, or why there is none: decided once.</summary>
    public Replicated ForReplica(DbSyncScope scope)
    {
        if (_replica is { } known) return known;
        lock (_gate) return _replica ??= Compile(scope);
    }

    /// <summary>Runs on the replica.</summary>
    public TResult OnReplica(QueryContext context, DbSyncScope scope, ReplicaLease lease) =>
        _replica!.Query!(scope.Replica.CreateContext(context, lease.Connection.Connection));

    /// <summary>From now on the primary answers this shape.</summary>
    public void GiveUp(string why) => _replica = new Replicated(null, null, (RouteReason.Failed, why));

    /// <summary>True once, so that a shape is reported once.</summary>
    public bool IsNews() => Interlocked.Exchange(ref _reported, 1) == 0;

    private Replicated Compile(DbSyncScope scope)
    {
        RouteLog.Decided();
        if (plan.NotAlike is { } detail) return new(null, null, (RouteReason.NotAlike, detail));
        try
        {
            var (query, needs) = scope.Replica.Compile<TResult>(plan.Query, async, plan.Tracks, scope.Context.Model);
            return new(query, needs, null);
        }
        catch (NotRoutableException exception)
        {
            return new(null, null, (exception.Reason, exception.Message));
        }
        catch (Exception exception) when (exception is not (OutOfMemoryException or OperationCanceledException))
        {
            // Whatever SQLite's provider can't do, the primary does; when it can't either, it says so itself.
            return new(null, null, (RouteReason.NotTranslatable, $"the SQLite provider can't translate it ({exception.GetType().Name})"));
        }
    }

    /// <summary>The compiled query with what it needs, or the refusal.</summary>
    internal sealed record Replicated(Func<QueryContext, TResult>? Query, ReplicaNeeds? Needs, (RouteReason Reason, string Detail)? Refusal);
}
