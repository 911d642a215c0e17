using System.Data.Common;
using System.Transactions;
using DbSync.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbSync.EntityFrameworkCore.Consistency;

/// <summary>
/// Marks the session after whatever EF Core tells the primary: writes, raw SQL, commits, and reads too, since the next routed read must not go
/// back behind them. Costs a flag; the position is asked for by the next routed read, if there is one.
/// </summary>
internal sealed class PrimaryWatcher : DbCommandInterceptor, IDbTransactionInterceptor
{
    public override DbDataReader ReaderExecuted(DbCommand command, CommandExecutedEventData eventData, DbDataReader result)
    {
        Mark(eventData.Context);
        return result;
    }

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
    {
        Mark(eventData.Context);
        return new(result);
    }

    public override int NonQueryExecuted(DbCommand command, CommandExecutedEventData eventData, int result)
    {
        Mark(eventData.Context);
        return result;
    }

    public override ValueTask<int> NonQueryExecutedAsync(DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        Mark(eventData.Context);
        return new(result);
    }

    public override object? ScalarExecuted(DbCommand command, CommandExecutedEventData eventData, object? result)
    {
        Mark(eventData.Context);
        return result;
    }

    public override ValueTask<object?> ScalarExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, object? result, CancellationToken cancellationToken = default)
    {
        Mark(eventData.Context);
        return new(result);
    }

    public override void CommandFailed(DbCommand command, CommandErrorEventData eventData) => Mark(eventData.Context);

    public override Task CommandFailedAsync(DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Mark(eventData.Context);
        return Task.CompletedTask;
    }

    // Cancelled is not undone: the server may have committed before it heard of it.
    public override void CommandCanceled(DbCommand command, CommandEndEventData eventData) => Mark(eventData.Context);

    public override Task CommandCanceledAsync(DbCommand command, CommandEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Mark(eventData.Context);
        return Task.CompletedTask;
    }

    public void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => Mark(eventData.Context);

    public Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Mark(eventData.Context);
        return Task.CompletedTask;
    }

    public void TransactionFailed(DbTransaction transaction, TransactionErrorEventData eventData) => Mark(eventData.Context);

    public Task TransactionFailedAsync(DbTransaction transaction, TransactionErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Mark(eventData.Context);
        return Task.CompletedTask;
    }

    private static void Mark(DbContext? context)
    {
        if (context?.GetInfrastructure().GetService(typeof(DbSyncScope)) is not DbSyncScope scope) return;
        scope.MarkDirty();
        if ((Transaction.Current ?? (scope.Primary as ITransactionEnlistmentManager)?.EnlistedTransaction) is not { } surrounding) return;
        var (session, link) = (scope.Session, scope.Link);
        surrounding.TransactionCompleted += (_, _) => session.MarkDirty(link); // its commit comes later, when the context may be another's
    }
}
