using DbSync.Locking;
using Npgsql;

namespace DbSync.Postgres.Locking;

/// <summary>Epochs in <c>dbsync.lock_resource</c> on the primary. Needs EXECUTE on <c>dbsync.lock_epoch</c> and <c>lock_epoch_advance</c>.</summary>
/// <param name="primary">Connections to the primary, not to a standby; stays the caller's.</param>
public sealed class PostgresEpochStore(NpgsqlDataSource primary) : IEpochStore
{
    /// <inheritdoc />
    public async ValueTask<long> ReadAsync(LockResource resource, CancellationToken cancellationToken) =>
        (long)(await Ask("SELECT dbsync.lock_epoch($1)", resource, [new() { Value = resource.Name }], cancellationToken))!;

    /// <inheritdoc />
    public async ValueTask<long?> AdvanceAsync(LockResource resource, long seen, CancellationToken cancellationToken) =>
        await Ask("SELECT dbsync.lock_epoch_advance($1, $2)", resource, [new() { Value = resource.Name }, new() { Value = seen }], cancellationToken)
            as long?;

    // A statement by itself commits by itself; synchronous_commit is forced on for it, since a lost epoch would be handed out again.
    private async Task<object?> Ask(string sql, LockResource resource, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await primary.OpenConnectionAsync(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await using (var durable = new NpgsqlCommand("SET LOCAL synchronous_commit = on", connection, transaction))
                await durable.ExecuteNonQueryAsync(cancellationToken);
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            command.Parameters.AddRange(parameters);
            var answer = await command.ExecuteScalarAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            return answer;
        }
        catch (Exception failure) when (LockSql.TryTranslate(failure, resource) is { } translated)
        {
            throw translated;
        }
    }
}
