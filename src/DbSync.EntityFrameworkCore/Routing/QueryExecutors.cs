using System.Linq.Expressions;
using System.Reflection;
using DbSync.EntityFrameworkCore.Reporting;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>Turns a shape into what EF Core calls to run it: rows or one value, at once or awaited.</summary>
internal static class QueryExecutors
{
    private static readonly MethodInfo Sequence = Method(nameof(SequenceOf));
    private static readonly MethodInfo Awaited = Method(nameof(AwaitedOf));

    public static Func<QueryContext, TResult> Create<TResult>(QueryShape<TResult> shape)
    {
        // The statements are cheap to tell here, and must not pass through anything that might run them twice.
        if (shape.Plan.Primary is { Reason: RouteReason.Statement })
            return context =>
            {
                var scope = Router.ScopeOf(context);
                QueryRecorder.Current?.Note(shape, scope, RouteReason.Statement, shape.Plan.Primary.Value.Detail);
                scope.LastRoute = new LastRoute(RouteReason.Statement, shape.Plan.Primary.Value.Detail, null);
                scope.Log.Refused(RouteReason.Statement);
                return shape.OnPrimary(context);
            };
        if (RowsOf(shape.Plan.Query.Type) is { } row && (shape.IsAsync ? typeof(TResult) == typeof(IAsyncEnumerable<>).MakeGenericType(row) : typeof(TResult).IsAssignableFrom(typeof(IEnumerable<>).MakeGenericType(row))))
            return (Func<QueryContext, TResult>)Sequence.MakeGenericMethod(typeof(TResult), row).Invoke(null, [shape])!;
        if (shape.IsAsync && typeof(TResult).IsGenericType && typeof(TResult).GetGenericTypeDefinition() == typeof(Task<>))
            return (Func<QueryContext, TResult>)Awaited.MakeGenericMethod(typeof(TResult).GetGenericArguments()).Invoke(null, [shape])!;
        return shape.IsAsync ? shape.OnPrimary : context => RunOne(shape, context);
    }

    private static Func<QueryContext, TResult> SequenceOf<TResult, TRow>(QueryShape<TResult> shape) =>
        context => (TResult)(object)new RoutedRows<TResult, TRow>(shape, context);

    private static Func<QueryContext, Task<TValue>> AwaitedOf<TValue>(QueryShape<Task<TValue>> shape) => context => AwaitOneAsync(shape, context);

    private static TValue RunOne<TValue>(QueryShape<TValue> shape, QueryContext context)
    {
        var scope = Router.ScopeOf(context);
        var lease = Wait(Router.EnterAsync(shape, context, scope));
        if (lease is null)
        {
            var answer = shape.OnPrimary(context);
            if (scope.Mode == RoutingMode.Shadow) Done(Shadow.CompareAsync(shape, context, scope, answer, value => new(value)));
            return answer;
        }
        var failed = true;
        try
        {
            var value = shape.OnReplica(context, scope, lease);
            failed = false;
            return value;
        }
        catch (Exception exception) when (Router.IsReplicaFailure(exception))
        {
            Router.Failed(shape, scope, lease, exception);
        }
        finally
        {
            lease.Release(failed);
        }
        return shape.OnPrimary(context);
    }

    private static async Task<TValue> AwaitOneAsync<TValue>(QueryShape<Task<TValue>> shape, QueryContext context)
    {
        var scope = Router.ScopeOf(context);
        var lease = await Router.EnterAsync(shape, context, scope).ConfigureAwait(false);
        if (lease is null)
        {
            var answer = await shape.OnPrimary(context).ConfigureAwait(false);
            if (scope.Mode == RoutingMode.Shadow)
                await Shadow.CompareAsync(shape, context, scope, answer, async task => await task.ConfigureAwait(false)).ConfigureAwait(false);
            return answer;
        }
        var failed = true;
        try
        {
            var value = await shape.OnReplica(context, scope, lease).ConfigureAwait(false);
            failed = false;
            return value;
        }
        catch (Exception exception) when (Router.IsReplicaFailure(exception))
        {
            Router.Failed(shape, scope, lease, exception);
        }
        finally
        {
            lease.Release(failed);
        }
        return await shape.OnPrimary(context).ConfigureAwait(false);
    }

    /// <summary>The result of what ran without awaiting anything.</summary>
    internal static T Wait<T>(ValueTask<T> completed) => completed.IsCompleted ? completed.GetAwaiter().GetResult() : completed.AsTask().GetAwaiter().GetResult();

    internal static void Done(ValueTask completed) => completed.AsTask().GetAwaiter().GetResult();

    private static Type? RowsOf(Type type) =>
        type.IsAssignableTo(typeof(IQueryable))
            ? type.GetInterfaces().Append(type).FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IQueryable<>))?.GetGenericArguments()[0]
            : null;

    private static MethodInfo Method(string name) => typeof(QueryExecutors).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!;
}
