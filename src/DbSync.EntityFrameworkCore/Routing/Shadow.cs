using System.Text.Json;
using System.Text.Json.Serialization;
using DbSync.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>
/// The mode Shadow: the primary has answered; the replica is asked too, at a position that has all that the primary showed, and a difference is
/// reported. Rows may change in between, so a difference counts only when the primary, asked again, still says what it said.
/// </summary>
internal static class Shadow
{
    private static readonly JsonSerializerOptions Json = new()
    {
        ReferenceHandler = ReferenceHandler.IgnoreCycles, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

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
            var (expected, found) = (Text(answer), Text(theirs));
            if (expected == found) return;
            var again = Text(await read(shape.OnPrimary(context)).ConfigureAwait(false));
            if (again == expected) scope.Log.Differs(scope.Context, Rows(answer), Rows(theirs));
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            scope.Log.Refused(RouteReason.Failed);
        }
    }

    private static string Text(object? value) => JsonSerializer.Serialize(value, value?.GetType() ?? typeof(object), Json);

    private static int Rows(object? value) => value is System.Collections.ICollection rows ? rows.Count : 1;
}
