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

    /// <summary>How often one of these asks PostgreSQL to forget what nobody needs any more.</summary>
    private static readonly TimeSpan TrimInterval = TimeSpan.FromMinutes(1);

    private long _trimmed;

    /// <inheritdoc />
    public async ValueTask RegisterAsync(RangeLock rangeLock, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rangeLock);
        rangeLock.ThrowIfLost();
        NpgsqlConnection connection;
        try
        {
            connection = await primary.OpenConnectionAsync(cancellationToken);
        }
        catch (Exception failure) when (LockSql.TryTranslate(failure, rangeLock.Resource) is { } translated)
        {
            throw translated;
        }

        await using (connection) await RegisterAsync(connection, rangeLock, cancellationToken);
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentException">The connection isn't Npgsql's.</exception>
    public async ValueTask RegisterAsync(DbConnection connection, RangeLock rangeLock, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rangeLock);
        if (connection is not NpgsqlConnection npgsql) throw new ArgumentException("Not a connection of Npgsql's.", nameof(connection));
        rangeLock.ThrowIfLost();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var transaction = await npgsql.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken);
                if (attempt > 1) await QueueUp(npgsql, transaction, rangeLock.Resource, cancellationToken);
                await Call(npgsql, transaction, rangeLock, cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                break;
            }
            catch (PostgresException collision) when (LockSql.IsCollision(collision) && attempt < AttemptsMax)
            {
                // Several that register overlapping ranges at the same moment wait for each other's rows in different orders. From now on one after another.
            }
            catch (Exception failure) when (LockSql.TryTranslate(failure, rangeLock.Resource) is { } translated)
            {
                throw translated;
            }
        }

        await Trim(npgsql, rangeLock.Resource, cancellationToken);
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

    /// <summary>
    /// Forgets what is known of tokens of older epochs, which are refused anyway: for operators, whose role owns the control schema. What
    /// nobody has used for days goes by itself, a piece with some of the registrations.
    /// </summary>
    /// <returns>The rows removed.</returns>
    public async ValueTask<long> PruneAsync(LockResource resource, CancellationToken cancellationToken = default)
    {
        try
        {
            await using var command = primary.CreateCommand("SELECT dbsync.fence_prune($1)");
            command.Parameters.Add(new() { Value = resource.Name, NpgsqlDbType = NpgsqlDbType.Text });
            return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
        }
        catch (Exception failure) when (LockSql.TryTranslate(failure, resource) is { } translated)
        {
            throw translated;
        }
    }

    // So that the fence's tables don't grow for ever: a bounded piece, now and then, by whoever comes along.
    private async Task Trim(NpgsqlConnection connection, LockResource resource, CancellationToken cancellationToken)
    {
        var last = Volatile.Read(ref _trimmed);
        var now = TimeProvider.System.GetTimestamp();
        if ((last != 0 && TimeProvider.System.GetElapsedTime(last, now) < TrimInterval) || Interlocked.CompareExchange(ref _trimmed, now, last) != last) return;
        try
        {
            await using var command = new NpgsqlCommand("SELECT dbsync.fence_trim($1)", connection);
            command.Parameters.Add(new() { Value = resource.Name, NpgsqlDbType = NpgsqlDbType.Text });
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (PostgresException)
        {
            // The lock is registered all the same, and the next one along tries again.
        }
    }

    private static async Task QueueUp(NpgsqlConnection connection, NpgsqlTransaction transaction, LockResource resource, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_catalog.pg_advisory_xact_lock(1145193301, pg_catalog.hashtext($1))", connection, transaction);
        command.Parameters.Add(new() { Value = resource.Name, NpgsqlDbType = NpgsqlDbType.Text });
        await command.ExecuteNonQueryAsync(cancellationToken);
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
