using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Locking;
using DbSync.Locking;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Microsoft.EntityFrameworkCore;

#pragma warning disable RS0026 // the generic overload only keeps the builder's type, as EF Core's own do

/// <summary>
/// Range locks on the rows of entities. Take a lock, attach it with <see cref="UseLockAsync"/>, and read and write as ever: PostgreSQL refuses
/// what a holder writes that has lost its lock. Keys include both ends, as <c>BETWEEN</c> does.
/// </summary>
/// <remarks>
/// The resource of a lock is the entity's table when the key's columns begin its primary key, and the table with the columns' names otherwise:
/// locks by different columns don't meet. Rows that don't exist yet are covered like those that do.
/// </remarks>
public static class DbSyncLockExtensions
{
    /// <summary>Tells a context where its locks are taken, and what checks them in PostgreSQL. Needs <c>UseNpgsql</c>; works with and without <c>UseDbSync</c>.</summary>
    /// <param name="options">The context's options.</param>
    /// <param name="locks">The lock manager: one for the process.</param>
    /// <param name="fence">The fence, in the database that the context writes to.</param>
    public static DbContextOptionsBuilder UseRangeLocks(this DbContextOptionsBuilder options, IRangeLockManager locks, IFence fence)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(locks);
        ArgumentNullException.ThrowIfNull(fence);
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(new RangeLockOptionsExtension(locks, fence));
        return options;
    }

    /// <inheritdoc cref="UseRangeLocks(DbContextOptionsBuilder, IRangeLockManager, IFence)"/>
    public static DbContextOptionsBuilder<TContext> UseRangeLocks<TContext>(this DbContextOptionsBuilder<TContext> options, IRangeLockManager locks, IFence fence)
        where TContext : DbContext
    {
        UseRangeLocks((DbContextOptionsBuilder)options, locks, fence);
        return options;
    }

    /// <summary>Waits for a lock on the rows whose key lies between two values, both included.</summary>
    /// <param name="set">The entities.</param>
    /// <param name="key">A column, or several: <c>o => new { o.Tenant, o.Number }</c>.</param>
    /// <param name="low">The lowest key.</param>
    /// <param name="high">The highest key.</param>
    /// <param name="mode">Shared or exclusive.</param>
    /// <param name="options">How to wait; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the wait; nothing is held then.</param>
    /// <exception cref="DbSync.DbSyncException">DBS6013: the column can't be a key; and what <see cref="IRangeLockManager.AcquireAsync"/> throws.</exception>
    public static ValueTask<RangeLock> LockRangeAsync<TEntity, TKey>(this DbSet<TEntity> set, Expression<Func<TEntity, TKey>> key, TKey low, TKey high,
        LockMode mode, RangeLockOptions? options = null, CancellationToken cancellationToken = default)
        where TEntity : class => LockRangesAsync(set, key, [(low, high)], mode, options, cancellationToken);

    /// <summary>Waits for a lock on the rows of one key; of a composite key's first columns, on all that begin with them.</summary>
    /// <inheritdoc cref="LockRangeAsync"/>
    public static ValueTask<RangeLock> LockKeyAsync<TEntity, TKey>(this DbSet<TEntity> set, Expression<Func<TEntity, TKey>> key, TKey value,
        LockMode mode, RangeLockOptions? options = null, CancellationToken cancellationToken = default)
        where TEntity : class => LockRangesAsync(set, key, [(value, value)], mode, options, cancellationToken);

    /// <summary>Waits for a lock on all of several ranges, both ends included, or none of them; 1 to <see cref="RangeLockOptions.RangesMax"/>.</summary>
    /// <inheritdoc cref="LockRangeAsync"/>
    public static ValueTask<RangeLock> LockRangesAsync<TEntity, TKey>(this DbSet<TEntity> set, Expression<Func<TEntity, TKey>> key,
        IReadOnlyList<(TKey Low, TKey High)> ranges, LockMode mode, RangeLockOptions? options = null, CancellationToken cancellationToken = default)
        where TEntity : class
    {
        var (resource, keys) = Keys(set, key, ranges);
        return ManagerOf(set).AcquireAsync(resource, keys, mode, options, cancellationToken);
    }

    /// <summary>Takes a lock on a range if that is possible without waiting.</summary>
    /// <inheritdoc cref="LockRangeAsync"/>
    /// <returns>The lock, or null when a conflicting one is held or waited for.</returns>
    public static ValueTask<RangeLock?> TryLockRangeAsync<TEntity, TKey>(this DbSet<TEntity> set, Expression<Func<TEntity, TKey>> key, TKey low, TKey high,
        LockMode mode, RangeLockOptions? options = null, CancellationToken cancellationToken = default)
        where TEntity : class
    {
        var (resource, keys) = Keys(set, key, [(low, high)]);
        return ManagerOf(set).TryAcquireAsync(resource, keys, mode, options, cancellationToken);
    }

    /// <summary>Waits for a lock on every row of the table, by its primary key.</summary>
    /// <inheritdoc cref="LockRangeAsync"/>
    public static ValueTask<RangeLock> LockAllAsync<TEntity>(this DbSet<TEntity> set, LockMode mode, RangeLockOptions? options = null,
        CancellationToken cancellationToken = default)
        where TEntity : class
    {
        ArgumentNullException.ThrowIfNull(set);
        return ManagerOf(set).AcquireAsync(EntityLockKey.TableOf(set.EntityType), [KeyRange.All], mode, options, cancellationToken);
    }

    /// <summary>
    /// Attaches a lock to the context, until it is given back. The fence is told first, in a transaction of its own or as the first statement of
    /// the open one; from then on <c>SaveChanges</c> and every transaction of the context, repeated ones too, prove the lock before anything
    /// else, and reads are answered by the primary.
    /// </summary>
    /// <param name="context">A context with <c>UseRangeLocks</c>.</param>
    /// <param name="held">The lock.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="RangeLockLostException">DBS6001: the lock is lost. Later the same from <c>SaveChanges</c> or when a transaction begins; nothing is written.</exception>
    /// <exception cref="DbSync.DbSyncException">DBS6014: the transaction has read already, or an entity of the locked table is tracked; DBS6015: in a
    /// <c>TransactionScope</c>, and later for statements that may write outside a transaction.</exception>
    public static ValueTask UseLockAsync(this DbContext context, RangeLock held, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(held);
        return AttachedLocks.Of(context).AttachAsync(held, cancellationToken);
    }

    /// <summary>Attaches a lock, as <see cref="UseLockAsync"/>, and blocks meanwhile.</summary>
    /// <inheritdoc cref="UseLockAsync"/>
    public static void UseLock(this DbContext context, RangeLock held)
    {
        ArgumentNullException.ThrowIfNull(held);
        var locks = AttachedLocks.Of(context);
        FenceInterceptor.Block(() => locks.AttachAsync(held, CancellationToken.None));
    }

    private static (LockResource Resource, KeyRange[] Ranges) Keys<TEntity, TKey>(
        DbSet<TEntity> set, Expression<Func<TEntity, TKey>> key, IReadOnlyList<(TKey Low, TKey High)> ranges)
        where TEntity : class
    {
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(ranges);
        var columns = EntityLockKey.Of(set.EntityType, key, () => set.GetService<IDesignTimeModel>().Model);
        return (columns.Resource, [.. ranges.Select(range => columns.Closed(range.Low, range.High))]);
    }

    private static IRangeLockManager ManagerOf<TEntity>(DbSet<TEntity> set)
        where TEntity : class
    {
        ArgumentNullException.ThrowIfNull(set);
        var context = set.GetService<ICurrentDbContext>().Context;
        return context.GetService<IDbContextOptions>().FindExtension<RangeLockOptionsExtension>()?.Locks ?? throw new DbSync.DbSyncException(
            DbSync.ErrorCodes.CannotPlugIn, "This context has no range locks.", "Call UseRangeLocks on its options.");
    }
}
