using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Reads one chunk in a transaction of its own: lock, snapshot, catalog, rows. The lock comes first, since a snapshot taken before it can
/// see a table empty that an ALTER has rewritten meanwhile.
/// </summary>
internal sealed class ChunkReader(Primary primary, TableCatalog catalog, PrimaryOptions options)
{
    private const int ReadBytes = 64 << 10;

    public Task<TransactionSnapshot> ReadAsync(
        TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows, CancellationToken cancellationToken) =>
        primary.UseAsync(
            async connection =>
            {
                try
                {
                    return await ReadAsync(connection, table, chunk, locked, rows, cancellationToken);
                }
                catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.LockNotAvailable)
                {
                    throw new ChunkNotReadyException($"{table} is locked by somebody else");
                }
                catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName)
                {
                    var renamed = await CurrentAsync(connection, table, cancellationToken);
                    throw new ChunkNotReadyException($"{table} has another name", renamed);
                }
            },
            cancellationToken);

    private async Task<TransactionSnapshot> ReadAsync(
        NpgsqlConnection connection, TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows,
        CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        await RunAsync(
            connection,
            FormattableString.Invariant(
                $"SET LOCAL row_security = off; SET LOCAL lock_timeout = {(long)options.LockTimeout.TotalMilliseconds}; LOCK TABLE {PgName.Quote(table)} IN ACCESS SHARE MODE"),
            cancellationToken);
        var demand = await locked();
        var snapshot = await SnapshotAsync(connection, cancellationToken);
        await CheckAsync(connection, snapshot, demand, cancellationToken);
        var current = await CurrentAsync(connection, table, cancellationToken);
        if (!current.StoresLike(table)) throw new ChunkNotReadyException($"{table} has changed its shape", current);
        Failpoint.Hit(Failpoint.AfterChunkSnapshot);
        var filter = await FilterAsync(connection, table, cancellationToken);
        await CopyAsync(connection, CopySql(table, chunk, filter), catalog.CodecsOf(table), rows, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return snapshot;
    }

    /// <summary>The table as it is now, by its id: its name may be another's by now.</summary>
    private async Task<TableSchema> CurrentAsync(NpgsqlConnection connection, TableSchema table, CancellationToken cancellationToken) =>
        (await catalog.LoadAsync(connection, options.Publication, table.Id.Oid, cancellationToken)).FirstOrDefault()
            ?? throw new ChunkNotReadyException($"{table} is no longer published", isGone: true);

    private static async Task<TransactionSnapshot> SnapshotAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_catalog.pg_current_snapshot()::text", connection);
        return TransactionSnapshot.Parse((string)(await command.ExecuteScalarAsync(cancellationToken))!);
    }

    /// <summary>A snapshot that does not see everything that the stream has already passed would lose it.</summary>
    private static async Task CheckAsync(
        NpgsqlConnection connection, TransactionSnapshot snapshot, SnapshotDemand demand, CancellationToken cancellationToken)
    {
        if (snapshot.Xmin >= demand.Horizon && demand.Seen.All(snapshot.Sees)) return;
        await using var command = Primary.Command(
            connection,
            "SELECT pid FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() ORDER BY xact_start LIMIT 1");
        var pid = await command.ExecuteScalarAsync(cancellationToken);
        throw new ChunkNotReadyException(
            pid is null ? "a prepared or just committed transaction has to end first" : $"a transaction of server process {pid} has to end first");
    }

    private async Task<string?> FilterAsync(NpgsqlConnection connection, TableSchema table, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(
            connection,
            "SELECT pg_catalog.to_jsonb(p) ->> 'rowfilter' FROM pg_catalog.pg_publication_tables AS p WHERE pubname = $1 AND schemaname = $2 AND tablename = $3",
            options.Publication, table.Schema, table.Name);
        return await command.ExecuteScalarAsync(cancellationToken) as string;
    }

    private string CopySql(TableSchema table, ChunkRecord chunk, string? filter)
    {
        var codecs = catalog.CodecsOf(table);
        var columns = string.Join(", ", table.Columns.Select((c, i) => codecs[i].CopySql(PgName.Quote(c.Name))));
        var key = string.Join(", ", table.Key.Select(k => PgName.Quote(table.Columns[k].Name)));
        var conditions = new List<string>();
        if (chunk.Lower is not null) conditions.Add($"({key}) >= ({Literals(chunk.Lower)})");
        if (chunk.Upper is not null) conditions.Add($"({key}) < ({Literals(chunk.Upper)})");
        if (filter is not null) conditions.Add($"({filter})");
        var where = conditions.Count == 0 ? "" : $" WHERE {string.Join(" AND ", conditions)}";
        var order = chunk.Lower is null && chunk.Upper is null ? "" : $" ORDER BY {key}";
        return $"COPY (SELECT {columns} FROM {PgName.Quote(table)}{where}{order}) TO STDOUT (FORMAT binary)";

        string Literals(ChunkBound bound) =>
            string.Join(", ", bound.Literals.Select((l, i) => $"{PgName.Literal(l)}::{table.Columns[table.Key[i]].TypeName}"));
    }

    private static async Task CopyAsync(
        NpgsqlConnection connection, string sql, TypeCodec[] codecs, ChunkRows rows, CancellationToken cancellationToken)
    {
        await using var stream = await connection.BeginRawBinaryCopyAsync(sql, cancellationToken);
        var buffer = new byte[ReadBytes];
        var (start, end, header) = (0, 0, true);
        while (true)
        {
            if (end == buffer.Length)
            {
                if (start == 0) Array.Resize(ref buffer, buffer.Length * 2);
                else Buffer.BlockCopy(buffer, start, buffer, 0, end - start);
                (start, end) = (0, end - start);
            }
            var read = await stream.ReadAsync(buffer.AsMemory(end), cancellationToken);
            end += read;
            if (header && end >= BinaryCopy.HeaderBytes) start = BinaryCopy.SkipHeader(buffer.AsSpan(0, end), ref header);
            if (!header && BinaryCopy.Rows(buffer, ref start, end, codecs, rows)) return;
            if (read == 0) throw WireReader.Malformed("a COPY that ends without its trailer");
        }
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
