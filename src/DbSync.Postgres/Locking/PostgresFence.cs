using System.Data;
using System.Data.Common;
using DbSync.Locking;
using Npgsql;
using NpgsqlTypes;

namespace DbSync.Postgres.Locking;

/// <summary>
/// The fence on the primary: <c>dbsync.fence_exclusive</c> and <c>dbsync.fence_shared</c>, on which the application's role needs EXECUTE.
/// </summary>
/// <param name="primary">Connections for registering, to the primary that also runs the guarded transactions; stays the caller's.</param>
public sealed class PostgresFence(NpgsqlDataSource primary) : IFence
{
    /// <summary>How often registering is repeated when it collides with others doing the same.</summary>
    private const int AttemptsMax = 10;

    /// <inheritdoc />
    public async ValueTask RegisterAsync(RangeLock rangeLock, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rangeLock);
        rangeLock.ThrowIfLost();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var connection = await primary.OpenConnectionAsync(cancellationToken);
                await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken);
                await Call(connection, transaction, rangeLock, cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                return;
            }
            catch (PostgresException collision) when (LockSql.IsCollision(collision) && attempt < AttemptsMax)
            {
                // Two that register overlapping ranges for the first time; the one that is repeated now sees the other.
            }
            catch (Exception failure) when (LockSql.TryTranslate(failure, rangeLock.Resource) is { } translated)
            {
                throw translated;
            }
        }
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentException">The transaction isn't Npgsql's, or is over.</exception>
    public async ValueTask GuardAsync(DbTransaction transaction, RangeLock rangeLock, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        ArgumentNullException.ThrowIfNull(rangeLock);
        if (transaction is not NpgsqlTransaction { Connection: { } connection } guarded)
            throw new ArgumentException("Not an open transaction of Npgsql's.", nameof(transaction));
        rangeLock.ThrowIfLost();
        try
        {
            await Call(connection, guarded, rangeLock, cancellationToken);
        }
        catch (Exception failure) when (LockSql.TryTranslate(failure, rangeLock.Resource) is { } translated)
        {
            throw translated;
        }
    }

    private static async Task Call(NpgsqlConnection connection, NpgsqlTransaction transaction, RangeLock rangeLock, CancellationToken cancellationToken)
    {
        var sql = rangeLock.Mode == LockMode.Exclusive ? "SELECT dbsync.fence_exclusive($1, $2, $3, $4)" : "SELECT dbsync.fence_shared($1, $2, $3, $4)";
        await using var command = new NpgsqlCommand(sql, connection, transaction);
        command.Parameters.Add(new() { Value = rangeLock.Resource.Name, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new() { Value = rangeLock.FencingToken.Value, NpgsqlDbType = NpgsqlDbType.Bigint });
        command.Parameters.Add(Bounds(rangeLock.Ranges, range => range.LowBytes));
        command.Parameters.Add(Bounds(rangeLock.Ranges, range => range.HighBytes));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static NpgsqlParameter Bounds(IReadOnlyList<KeyRange> ranges, Func<KeyRange, byte[]> bound) =>
        new() { Value = ranges.Select(bound).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea };
}
