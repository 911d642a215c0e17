using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbSync.EntityFrameworkCore.Locking;

/// <summary>Puts the fence in front of what a context does while locks are attached. Costs a flag for each command otherwise.</summary>
internal sealed class FenceInterceptor(AttachedLocks locks) : DbCommandInterceptor, IDbTransactionInterceptor, ISaveChangesInterceptor
{
    public InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        Saving(eventData.Context!);
        return result;
    }

    public ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) => new(SavingChanges(eventData, result));

    public int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        Saved(eventData.Context!);
        return result;
    }

    public ValueTask<int> SavedChangesAsync(SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default) =>
        new(SavedChanges(eventData, result));

    public void SaveChangesFailed(DbContextErrorEventData eventData) => Saved(eventData.Context!);

    public Task SaveChangesFailedAsync(DbContextErrorEventData eventData, CancellationToken cancellationToken = default) => Done(() => Saved(eventData.Context!));

    public void SaveChangesCanceled(DbContextEventData eventData) => Saved(eventData.Context!);

    public Task SaveChangesCanceledAsync(DbContextEventData eventData, CancellationToken cancellationToken = default) => Done(() => Saved(eventData.Context!));

    public InterceptionResult<DbTransaction> TransactionStarting(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result)
    {
        Block(() => locks.EnsureRegisteredAsync(CancellationToken.None));
        return result;
    }

    public async ValueTask<InterceptionResult<DbTransaction>> TransactionStartingAsync(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result, CancellationToken cancellationToken = default)
    {
        await locks.EnsureRegisteredAsync(cancellationToken).ConfigureAwait(false);
        return result;
    }

    public DbTransaction TransactionStarted(DbConnection connection, TransactionEndEventData eventData, DbTransaction result)
    {
        Block(() => StartedAsync(eventData.Context!, result, CancellationToken.None));
        return result;
    }

    public async ValueTask<DbTransaction> TransactionStartedAsync(
        DbConnection connection, TransactionEndEventData eventData, DbTransaction result, CancellationToken cancellationToken = default)
    {
        await StartedAsync(eventData.Context!, result, cancellationToken).ConfigureAwait(false);
        return result;
    }

    public DbTransaction TransactionUsed(DbConnection connection, TransactionEventData eventData, DbTransaction result)
    {
        Block(() => locks.GuardAsync(result, isForeign: true, CancellationToken.None));
        return result;
    }

    public async ValueTask<DbTransaction> TransactionUsedAsync(
        DbConnection connection, TransactionEventData eventData, DbTransaction result, CancellationToken cancellationToken = default)
    {
        await locks.GuardAsync(result, isForeign: true, cancellationToken).ConfigureAwait(false);
        return result;
    }

    public void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => locks.Ended();

    public Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default) => Done(locks.Ended);

    public void TransactionRolledBack(DbTransaction transaction, TransactionEndEventData eventData) => locks.Ended();

    public Task TransactionRolledBackAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default) => Done(locks.Ended);

    public void TransactionFailed(DbTransaction transaction, TransactionErrorEventData eventData) => locks.Ended();

    public Task TransactionFailedAsync(DbTransaction transaction, TransactionErrorEventData eventData, CancellationToken cancellationToken = default) => Done(locks.Ended);

    public override InterceptionResult<DbDataReader> ReaderExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
    {
        if (NeedsLook(command, eventData)) Block(() => locks.EnsureRegisteredAsync(CancellationToken.None));
        return result;
    }

    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        if (NeedsLook(command, eventData)) await locks.EnsureRegisteredAsync(cancellationToken).ConfigureAwait(false);
        return result;
    }

    public override InterceptionResult<object> ScalarExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<object> result)
    {
        if (NeedsLook(command, eventData)) Block(() => locks.EnsureRegisteredAsync(CancellationToken.None));
        return result;
    }

    public override async ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default)
    {
        if (NeedsLook(command, eventData)) await locks.EnsureRegisteredAsync(cancellationToken).ConfigureAwait(false);
        return result;
    }

    public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
    {
        if (NeedsLook(command, eventData)) Block(() => locks.EnsureRegisteredAsync(CancellationToken.None));
        return result;
    }

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (NeedsLook(command, eventData)) await locks.EnsureRegisteredAsync(cancellationToken).ConfigureAwait(false);
        return result;
    }

    // EF Core leaves the transaction out when one statement is enough: then nothing could be proved before it.
    private void Saving(DbContext context)
    {
        if (!locks.Any) return;
        locks.RefuseAmbient();
        locks.BehaviorBefore ??= context.Database.AutoTransactionBehavior;
        context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Always;
    }

    private void Saved(DbContext context)
    {
        if (locks.BehaviorBefore is not { } before) return;
        (context.Database.AutoTransactionBehavior, locks.BehaviorBefore) = (before, null);
    }

    // EF Core doesn't know the transaction yet when this throws, so it is ended here.
    private async ValueTask StartedAsync(DbContext context, DbTransaction transaction, CancellationToken cancellationToken)
    {
        try
        {
            await locks.GuardAsync(transaction, isForeign: false, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is DbSyncException or DbException or OperationCanceledException or ObjectDisposedException)
        {
            locks.Ended();
            await transaction.DisposeAsync().ConfigureAwait(false);
            await context.Database.CloseConnectionAsync().ConfigureAwait(false);
            throw;
        }
    }

    private bool NeedsLook(DbCommand command, CommandEventData eventData)
    {
        if (command.Transaction is not null)
        {
            locks.Using();
            return false;
        }

        if (!locks.Any) return false;
        if (eventData.CommandSource is CommandSource.ExecuteSqlRaw or CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete)
            throw new DbSyncException(ErrorCodes.LockUnguarded, "A statement that may write was to run outside a transaction while a lock is attached.",
                "Begin a transaction around it: the fence is then its first statement.");
        return true;
    }

    private static Task Done(Action action)
    {
        action();
        return Task.CompletedTask;
    }

    // On the pool where there is a synchronization context: the caller blocks it.
    internal static void Block(Func<ValueTask> action)
    {
        var running = SynchronizationContext.Current is null ? action() : new ValueTask(Task.Run(() => action().AsTask()));
        if (running.IsCompleted) running.GetAwaiter().GetResult();
        else running.AsTask().GetAwaiter().GetResult();
    }
}
