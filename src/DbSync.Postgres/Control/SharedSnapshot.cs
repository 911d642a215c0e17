using Npgsql;

namespace DbSync.Postgres;

/// <summary>An open REPEATABLE READ transaction whose snapshot others can import, and the insert position read after it.</summary>
internal sealed class SharedSnapshot : ISharedSnapshot
{
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlTransaction _transaction;

    private SharedSnapshot(NpgsqlConnection connection, NpgsqlTransaction transaction, TransactionSnapshot snapshot, string exportedAs, Lsn insertedUpTo)
    {
        (_connection, _transaction) = (connection, transaction);
        (Snapshot, ExportedAs, InsertedUpTo) = (snapshot, exportedAs, insertedUpTo);
    }

    public TransactionSnapshot Snapshot { get; }

    public Lsn InsertedUpTo { get; }

    /// <summary>The name for <c>SET TRANSACTION SNAPSHOT</c>; it holds as long as this lives.</summary>
    public string ExportedAs { get; }

    private static readonly TimeSpan LockWaitMax = TimeSpan.FromMilliseconds(500); // see PrimaryOptions.LockTimeout

    public static async Task<SharedSnapshot> TakeAsync(Primary primary, IReadOnlyCollection<TableSchema> locked, CancellationToken cancellationToken)
    {
        var connection = await primary.OpenAsync(cancellationToken);
        try
        {
            var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
            if (locked.Count > 0) await LockAsync(connection, locked, cancellationToken);
            string snapshot, exported;
            await using (var take = Primary.Command(connection, "SELECT pg_catalog.pg_current_snapshot()::text, pg_catalog.pg_export_snapshot()"))
            await using (var reader = await take.ExecuteReaderAsync(cancellationToken))
            {
                await reader.ReadAsync(cancellationToken);
                (snapshot, exported) = (reader.GetString(0), reader.GetString(1));
            }
            await using var position = Primary.Command(connection, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text");
            var insertedUpTo = Lsn.Parse((string)(await position.ExecuteScalarAsync(cancellationToken))!);
            return new SharedSnapshot(connection, transaction, TransactionSnapshot.Parse(snapshot), exported, insertedUpTo);
        }
        catch (Exception exception)
        {
            await connection.DisposeAsync();
            if (PrimaryErrors.TryTranslate(exception) is { } translated) throw translated;
            throw;
        }
    }

    private static async Task LockAsync(NpgsqlConnection connection, IReadOnlyCollection<TableSchema> tables, CancellationToken cancellationToken)
    {
        var names = string.Join(", ", tables.Select(PgName.RowsOf));
        await using var command = Primary.Command(
            connection, FormattableString.Invariant($"SET LOCAL lock_timeout = {(long)LockWaitMax.TotalMilliseconds}; LOCK TABLE {names} IN ACCESS SHARE MODE"));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
