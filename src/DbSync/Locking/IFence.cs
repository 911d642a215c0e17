using System.Data.Common;

namespace DbSync.Locking;

/// <summary>
/// The check inside PostgreSQL that a lock is still the newest: what stops a holder that was paused past its lease (promise 5). The order
/// is: take the lock, <see cref="RegisterAsync(RangeLock, CancellationToken)"/>, open the transaction, <see cref="GuardAsync"/> as its first statement, and
/// only then read what the writes depend on, from the primary.
/// </summary>
/// <remarks>
/// Registering before reading closes the hole of a check at write time alone: between the new holder's read and its write, the
/// old one could still write, and that update would be lost.
/// </remarks>
public interface IFence
{
    /// <summary>
    /// Makes the lock's token known, in a committed transaction of its own. Waits for guarded transactions of older holders of these
    /// keys; from then on theirs fail. Repeating it is harmless, and it is needed again after an upgrade.
    /// </summary>
    /// <exception cref="RangeLockLostException">DBS6001: a newer holder, or a newer epoch, is known.</exception>
    ValueTask RegisterAsync(RangeLock rangeLock, CancellationToken cancellationToken);

    /// <summary>The same on an open connection of the caller's, which has no transaction open.</summary>
    /// <exception cref="RangeLockLostException">DBS6001: a newer holder, or a newer epoch, is known.</exception>
    ValueTask RegisterAsync(DbConnection connection, RangeLock rangeLock, CancellationToken cancellationToken);

    /// <summary>
    /// Proves the lock inside a transaction, before it reads anything: until it ends, no newer holder of these keys can register. May stand
    /// without <see cref="RegisterAsync(RangeLock, CancellationToken)"/> at READ COMMITTED; at REPEATABLE READ and above registering first is required.
    /// </summary>
    /// <exception cref="RangeLockLostException">DBS6001: a newer holder, or a newer epoch, is known. Roll back.</exception>
    ValueTask GuardAsync(DbTransaction transaction, RangeLock rangeLock, CancellationToken cancellationToken);
}
