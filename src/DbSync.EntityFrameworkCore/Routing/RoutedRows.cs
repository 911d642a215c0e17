using System.Collections;
using System.Data.Common;
using System.Runtime.CompilerServices;
using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore.Replicas;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.Internal;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>
/// The rows of a query, read from whoever answers it when it is enumerated. Until the first row is out the primary can take over, so some are read ahead; a
/// query that may fail at any row, or whose context retries (EF Core itself reads ahead then), is read to its end. A replica that breaks later than that is a
/// lost connection to the application, and the next try is the primary's.
/// </summary>
internal sealed class RoutedRows<TResult, TRow>(QueryShape<TResult> shape, QueryContext context)
    : IEnumerable<TRow>, IAsyncEnumerable<TRow>, IRelationalQueryingEnumerable, IRoutedQuery
{
    public IEnumerator<TRow> GetEnumerator()
    {
        var scope = Router.ScopeOf(context);
        var lease = QueryExecutors.Wait(Router.EnterAsync(shape, context, scope));
        if (lease is not null)
        {
            IEnumerator<TRow>? rows = null;
            var ahead = new RowsAhead<TRow>();
            var started = false;
            try
            {
                rows = ((IEnumerable<TRow>)(object)shape.OnReplica(context, scope, lease)!).GetEnumerator();
                var more = true;
                for (var max = AheadMax(scope); ahead.Count < max && (more = rows.MoveNext());) ahead.Add(rows.Current);
                started = true;
                return new ReplicaRows(shape, scope, ahead, more ? rows : Ended(rows), lease);
            }
            catch (Exception exception) when (Router.IsReplicaFailure(exception))
            {
                Router.Failed(shape, scope, lease, exception);
            }
            finally
            {
                if (!started)
                {
                    ahead.Dispose();
                    rows?.Dispose();
                    lease.Release(failed: true);
                }
            }
        }
        var primary = (IEnumerable<TRow>)(object)shape.OnPrimary(context)!;
        if (scope.Mode != RoutingMode.Shadow) return primary.GetEnumerator();
        var answer = primary.ToList();
        QueryExecutors.Done(Shadow.CompareAsync(shape, context, scope, answer, rows => new(((IEnumerable<TRow>)(object)rows!).ToList())));
        return answer.GetEnumerator();
    }

    public async IAsyncEnumerator<TRow> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.CanBeCanceled) context.CancellationToken = cancellationToken;
        var scope = Router.ScopeOf(context);
        var lease = await Router.EnterAsync(shape, context, scope).ConfigureAwait(false);
        if (lease is not null)
        {
            var failed = true;
            IAsyncEnumerator<TRow>? rows = null;
            using var ahead = new RowsAhead<TRow>();
            try
            {
                var more = true;
                try
                {
                    rows = ((IAsyncEnumerable<TRow>)(object)shape.OnReplica(context, scope, lease)!).GetAsyncEnumerator(context.CancellationToken);
                    for (var max = AheadMax(scope); ahead.Count < max && (more = await rows.MoveNextAsync().ConfigureAwait(false));) ahead.Add(rows.Current);
                    failed = false;
                }
                catch (Exception exception) when (Router.IsReplicaFailure(exception))
                {
                    Router.Failed(shape, scope, lease, exception);
                }
                if (!failed)
                {
                    for (var i = 0; i < ahead.Count; i++) yield return ahead[i];
                    while (more && await NextAsync(rows!, scope, lease).ConfigureAwait(false)) yield return rows!.Current;
                    yield break;
                }
            }
            finally
            {
                if (rows is not null) await rows.DisposeAsync().ConfigureAwait(false);
                lease.Release(failed);
            }
        }
        if (scope.Mode == RoutingMode.Shadow)
        {
            var answer = await ListAsync(shape.OnPrimary(context)).ConfigureAwait(false);
            await Shadow.CompareAsync(shape, context, scope, answer, async rows => await ListAsync(rows).ConfigureAwait(false)).ConfigureAwait(false);
            foreach (var row in answer) yield return row;
            yield break;
        }
        var primary = ((IAsyncEnumerable<TRow>)(object)shape.OnPrimary(context)!).GetAsyncEnumerator(cancellationToken);
        await using var disposing = primary.ConfigureAwait(false);
        while (await primary.MoveNextAsync().ConfigureAwait(false)) yield return primary.Current;
    }

    private async ValueTask<bool> NextAsync(IAsyncEnumerator<TRow> rows, DbSyncScope scope, ReplicaLease lease)
    {
        try
        {
            return await rows.MoveNextAsync().ConfigureAwait(false);
        }
        catch (Exception exception) when (Router.IsStorageFailure(exception))
        {
            throw Router.Broke(shape, scope, lease, exception);
        }
    }

    private async ValueTask<List<TRow>> ListAsync(TResult rows)
    {
        var list = new List<TRow>();
        await foreach (var row in ((IAsyncEnumerable<TRow>)(object)rows!).WithCancellation(context.CancellationToken).ConfigureAwait(false)) list.Add(row);
        return list;
    }

    /// <summary>The SQL of whoever would answer now, after a line that says who and why.</summary>
    public string ToQueryString()
    {
        var scope = Router.ScopeOf(context);
        var answer = QueryExecutors.Wait(Router.DecideAsync(shape, scope, context.Parameters, CancellationToken.None));
        if (answer.Lease is not { } lease) return $"-- DbSync: primary ({answer.Reason}: {answer.Detail})\n{((IQueryingEnumerable)(object)shape.OnPrimary(context)!).ToQueryString()}";
        try
        {
            return $"-- DbSync: replica at {lease.Snapshot.Position}\n{((IQueryingEnumerable)(object)shape.OnReplica(context, scope, lease)!).ToQueryString()}";
        }
        finally
        {
            lease.Release();
        }
    }

    public QueryRoute Explain()
    {
        var scope = Router.ScopeOf(context);
        var answer = QueryExecutors.Wait(Router.DecideAsync(shape, scope, context.Parameters, CancellationToken.None));
        var route = new LastRoute(answer.Reason, answer.Detail, answer.Lease?.Snapshot).Describe(scope);
        answer.Lease?.Release();
        return route;
    }

    /// <summary>The primary's command: who takes it into his own hands runs it on the context's own connection.</summary>
    public DbCommand CreateDbCommand() => ((IRelationalQueryingEnumerable)(object)shape.OnPrimary(context)!).CreateDbCommand();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int AheadMax(DbSyncScope scope) => shape.ForReplica(scope).Needs is { MayFail: true } || scope.Retries ? int.MaxValue : RowsAhead.Max;

    private static IEnumerator<TRow>? Ended(IEnumerator<TRow> rows)
    {
        rows.Dispose();
        return null;
    }

    private sealed class ReplicaRows(QueryShape<TResult> shape, DbSyncScope scope, RowsAhead<TRow> ahead, IEnumerator<TRow>? rest, ReplicaLease lease) : IEnumerator<TRow>
    {
        private int _next;
        private bool _disposed;

        public TRow Current { get; private set; } = default!;

        object? IEnumerator.Current => Current;

        public bool MoveNext()
        {
            if (_next < ahead.Count)
            {
                Current = ahead[_next++];
                return true;
            }
            if (rest is null || !Next(rest)) return false;
            Current = rest.Current;
            return true;
        }

        private bool Next(IEnumerator<TRow> rows)
        {
            try
            {
                return rows.MoveNext();
            }
            catch (Exception exception) when (Router.IsStorageFailure(exception))
            {
                throw Router.Broke(shape, scope, lease, exception);
            }
        }

        public void Reset() => throw new NotSupportedException();

        public void Dispose()
        {
            if (_disposed) return;
            _disposed = true;
            ahead.Dispose();
            rest?.Dispose();
            lease.Release();
        }
    }
}
