using System.Data.Common;
using System.Transactions;
using DbSync.Locking;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Internal;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbSync.EntityFrameworkCore.Locking;

/// <summary>
/// The locks that a context writes under. Each is known to the fence before the context reads anything under it, and every transaction of the
/// context proves all of them with its first statements: its own, those of <c>SaveChanges</c>, and those that an execution strategy repeats.
/// </summary>
internal sealed class AttachedLocks(ICurrentDbContext current, IDbContextOptions options) : IResettableService
{
    private readonly List<Attachment> _attached = [];
    private OpenTransaction _transaction;

    private enum OpenTransaction
    {
        None,
        Fresh,
        HasRead,

        /// <summary>Begun elsewhere, so nobody knows what it has read.</summary>
        Foreign,
    }

    /// <summary>The behaviour of <c>SaveChanges</c> to return to when it is done.</summary>
    public AutoTransactionBehavior? BehaviorBefore { get; set; }

    /// <summary>Whether something is attached; a lock that was given back is attached no more.</summary>
    public bool Any
    {
        get
        {
            if (_attached.Count > 0) _attached.RemoveAll(a => a.Lock.IsDisposed);
            return _attached.Count > 0;
        }
    }

    private RangeLockOptionsExtension Settings => options.FindExtension<RangeLockOptionsExtension>()!;

    public async ValueTask AttachAsync(RangeLock held, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(held.IsDisposed, held);
        held.ThrowIfLost();
        RefuseAmbient();
        if (TrackedBefore(held) is { } entity)
            throw TooLate($"An entity {entity} was read before the lock on '{held.Resource}' was attached, and is tracked.");
        var attachment = new Attachment(held);
        if (current.Context.Database.CurrentTransaction is { } open)
        {
            if (_transaction != OpenTransaction.Fresh)
                throw TooLate(_transaction == OpenTransaction.Foreign
                    ? "The transaction was begun elsewhere, and may have read already."
                    : "The transaction has read already.");
            await Settings.Fence.GuardAsync(open.GetDbTransaction(), held, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await RegisterAsync(attachment, cancellationToken).ConfigureAwait(false);
        }

        if (Any) _attached.RemoveAll(a => a.Lock == held);
        _attached.Add(attachment);
        _attached.Sort((a, b) => string.CompareOrdinal(a.Lock.Resource.Name, b.Lock.Resource.Name)); // two contexts guard in one order
    }

    /// <summary>Before a transaction begins, or a statement outside of one runs: an upgraded lock, or one whose registration was rolled back, is registered.</summary>
    public async ValueTask EnsureRegisteredAsync(CancellationToken cancellationToken)
    {
        if (!Any) return;
        RefuseAmbient();
        foreach (var attachment in _attached.Where(a => a.Registered != a.Lock.FencingToken).ToArray())
            await RegisterAsync(attachment, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Proves every lock in a transaction that has just begun, or was just given to the context.</summary>
    public async ValueTask GuardAsync(DbTransaction transaction, bool isForeign, CancellationToken cancellationToken)
    {
        _transaction = isForeign ? OpenTransaction.Foreign : OpenTransaction.Fresh;
        if (!Any) return;
        foreach (var attachment in _attached) await Settings.Fence.GuardAsync(transaction, attachment.Lock, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A statement of the context is about to run in its transaction.</summary>
    public void Using()
    {
        if (_transaction == OpenTransaction.Fresh) _transaction = OpenTransaction.HasRead;
    }

    public void Ended() => _transaction = OpenTransaction.None;

    public void RefuseAmbient()
    {
        if (Transaction.Current is not null)
            throw new DbSyncException(ErrorCodes.LockUnguarded, "A TransactionScope is open: the fence can't be its first statement.",
                "Use Database.BeginTransaction under a lock.");
    }

    public void ResetState()
    {
        _attached.Clear();
        (_transaction, BehaviorBefore) = (OpenTransaction.None, null);
    }

    public Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        ResetState();
        return Task.CompletedTask;
    }

    public static AttachedLocks Of(DbContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.GetInfrastructure().GetService(typeof(AttachedLocks)) as AttachedLocks ?? throw new DbSyncException(
            ErrorCodes.CannotPlugIn, "This context has no range locks.", "Call UseRangeLocks on its options.");
    }

    private static DbSyncException TooLate(string what) => new(ErrorCodes.LockAttachedTooLate, what,
        "Attach the lock first, then begin the transaction and read; or read again in a new context.");

    private async ValueTask RegisterAsync(Attachment attachment, CancellationToken cancellationToken)
    {
        var token = attachment.Lock.FencingToken;
        var database = current.Context.Database;
        await database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await Settings.Fence.RegisterAsync(database.GetDbConnection(), attachment.Lock, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await database.CloseConnectionAsync().ConfigureAwait(false);
        }

        attachment.Registered = token;
    }

    // EF Core never refreshes what it tracks: such an entity would be written back as it was before the lock.
    private string? TrackedBefore(RangeLock held) => current.Context.ChangeTracker.Entries()
        .FirstOrDefault(e => e.State != EntityState.Added && EntityLockKey.TableOf(e.Metadata) is { } table
            && (held.Resource.Name == table || held.Resource.Name.StartsWith(table + "(", StringComparison.Ordinal)))?.Metadata.ShortName();

    private sealed class Attachment(RangeLock held)
    {
        public RangeLock Lock => held;

        /// <summary>The token that a committed transaction has told the fence.</summary>
        public FencingToken Registered { get; set; }
    }
}
