using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore.Reporting;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>
/// The mode Shadow: the primary has answered; the replica is asked too, at a position that has all that the primary showed, and a difference is
/// reported. Rows may change in between, so a difference counts only when the primary, asked again, still says what it said. Rows are compared in order
/// where the query says one, else as they come; an order that leaves some rows equal may be reported.
/// </summary>
internal static class Shadow
{
    /// <summary>Compares; whatever goes wrong here is no concern of the one who asked.</summary>
    /// <param name="shape">The query.</param>
    /// <param name="context">Its execution.</param>
    /// <param name="scope">The context's scope.</param>
    /// <param name="answer">What the primary gave.</param>
    /// <param name="read">Reads a result to its end.</param>
    public static async ValueTask CompareAsync<TResult>(
        QueryShape<TResult> shape, QueryContext context, DbSyncScope scope, object? answer, Func<TResult, ValueTask<object?>> read)
    {
        try
        {
            var gate = await Router.DecideAsync(shape, scope, ReadConsistency.Strong, context.Parameters, context.CancellationToken).ConfigureAwait(false);
            if (gate.Lease is not { } lease) return;
            object? theirs;
            try
            {
                theirs = await read(shape.OnReplica(context, scope, lease)).ConfigureAwait(false);
            }
            finally
            {
                lease.Release();
            }
            var isOrdered = !shape.Plan.Query.Type.IsAssignableTo(typeof(IQueryable)) || RowOrder.IsSaidBy(shape.Plan.Query);
            var expected = AnswerText.Of(answer, isOrdered);
            if (expected == AnswerText.Of(theirs, isOrdered)) return;
            var again = AnswerText.Of(await read(shape.OnPrimary(context)).ConfigureAwait(false), isOrdered);
            if (again == expected) scope.Log.Differs(scope.Context, Rows(answer), Rows(theirs), ShapeText.Of(shape.Plan.Query));
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            scope.Log.Refused(RouteReason.Failed);
        }
    }

    private static int Rows(object? value) => value is System.Collections.ICollection rows ? rows.Count : 1;
}
