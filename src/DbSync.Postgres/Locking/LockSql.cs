using DbSync.Locking;
using Npgsql;

namespace DbSync.Postgres.Locking;

/// <summary>What the functions of <c>migrations/postgres/0010_fences.sql</c> report, as DbSync's failures. Told apart by SQLSTATE, never by text.</summary>
internal static class LockSql
{
    private const string Lost = "DBS01";
    private const string EpochsUsedUp = "DBS10";
    private const string RegisterFirst = "DBS12";

    /// <summary>Worth repeating when the statement is a transaction of its own.</summary>
    public static bool IsCollision(PostgresException failure) =>
        failure.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;

    /// <summary>The failure as DbSync names it; null leaves it as it is (a collision, which an execution strategy repeats, or a failure of the caller's own statement).</summary>
    public static DbSyncException? TryTranslate(Exception failure, LockResource resource) => failure switch
    {
        PostgresException { SqlState: Lost } => new RangeLockLostException(resource, failure),
        PostgresException { SqlState: EpochsUsedUp } => LockErrors.EpochsUsedUp(resource),
        PostgresException { SqlState: RegisterFirst } => new DbSyncException(ErrorCodes.FenceNotRegistered,
            "A transaction that reads from a snapshot uses a lock that the fence doesn't know yet.",
            "Call IFence.RegisterAsync after taking the lock, before the transaction.", failure),
        PostgresException
        {
            SqlState: PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.InvalidSchemaName or PostgresErrorCodes.UndefinedTable,
        } => new DbSyncException(ErrorCodes.NotInitialised, "The primary doesn't have DbSync's lock functions.", "Run `dbsync init`.", failure),
        PostgresException postgres when IsCollision(postgres) => null,
        _ => PrimaryErrors.TryTranslate(failure) is { Code: not (ErrorCodes.StatementFailed or ErrorCodes.StatementRefused) } known ? known : null,
    };
}
