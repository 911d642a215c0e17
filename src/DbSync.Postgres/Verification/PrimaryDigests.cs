using System.Globalization;
using System.Text;
using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>The primary's side of a comparison: one transaction on the snapshot that a node's shards stand at.</summary>
internal sealed class PrimaryDigests : IAsyncDisposable
{
    private const long PagesAtOnce = 2048; // between two pauses, when it must not take all of a server process's time

    private static readonly TimeProvider time = TimeProvider.System;
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlTransaction _transaction;
    private readonly TypeCatalog _types = new();
    private readonly string _publication;

    private PrimaryDigests(NpgsqlConnection connection, NpgsqlTransaction transaction, string publication) =>
        (_connection, _transaction, _publication) = (connection, transaction, publication);

    /// <summary>Opens a transaction on a snapshot that another one has exported; null when that one has ended.</summary>
    public static async Task<PrimaryDigests?> OpenAsync(Primary primary, string snapshot, string publication, CancellationToken cancellationToken)
    {
        var connection = await primary.OpenAsync(cancellationToken);
        try
        {
            var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
            await using var import = new NpgsqlCommand(
                $"SET TRANSACTION SNAPSHOT {PgName.Literal(snapshot)}; SET LOCAL row_security = off; SET LOCAL statement_timeout = 0", connection);
            await import.ExecuteNonQueryAsync(cancellationToken);
            return new PrimaryDigests(connection, transaction, publication);
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.UndefinedObject or PostgresErrorCodes.InvalidParameterValue)
        {
            await connection.DisposeAsync();
            return null;
        }
        catch (Exception exception)
        {
            await connection.DisposeAsync();
            if (PrimaryErrors.TryTranslate(exception) is { } translated) throw translated;
            throw;
        }
    }

    /// <summary>The codecs of a table that a shard stores.</summary>
    public async Task<TypeCodec[]> CodecsAsync(TableSchema table, CancellationToken cancellationToken)
    {
        var missing = table.Columns.Select(c => c.TypeOid).Where(t => !_types.Contains(t)).Distinct().ToList();
        await TranslateAsync(table, async () =>
        {
            _types.Load(_connection, missing);
            return true;
        });
        return [.. table.Columns.Select(c => _types.CodecFor(c.TypeOid))];
    }

    /// <param name="table">The table.</param>
    /// <param name="codecs">Its columns' codecs.</param>
    /// <param name="condition">Only rows that it is true of; null for all.</param>
    /// <param name="share">How much of a server process's time it may take, above 0 and up to 1; a partitioned table is read at once.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task<GroupDigests> GroupsAsync(TableSchema table, TypeCodec[] codecs, string? condition, double share, CancellationToken cancellationToken) => TranslateAsync(
        table,
        async () =>
        {
            var filter = await FilterAsync(table, condition, cancellationToken);
            var groups = new GroupDigests();
            if (share >= 1 || table.IsPartitioned)
            {
                await AddGroupsAsync(groups, table, codecs, filter, cancellationToken);
                return groups;
            }
            await using var size = Command("SELECT pg_catalog.pg_relation_size($1::oid::regclass) / pg_catalog.current_setting('block_size')::bigint", (long)table.Id.Oid);
            var pages = (long)(await size.ExecuteScalarAsync(cancellationToken))!;
            for (long page = 0; page == 0 || page < pages; page += PagesAtOnce)
            {
                var startedAt = time.GetTimestamp();
                var slice = DigestSql.InPages(table, page, page + PagesAtOnce < pages ? page + PagesAtOnce : null);
                await AddGroupsAsync(groups, table, codecs, filter is null ? slice : $"({filter}) AND {slice}", cancellationToken);
                await Task.Delay(time.GetElapsedTime(startedAt) * ((1 - share) / share), time, cancellationToken);
            }
            return groups;
        });

    /// <summary>Gives key hash and row hash of every row in some groups.</summary>
    public Task RowsAsync(TableSchema table, TypeCodec[] codecs, int[] groups, string? condition, Action<long, long> row, CancellationToken cancellationToken) =>
        TranslateAsync(
            table,
            async () =>
            {
                await using var command = Command(DigestSql.RowsOfGroups(table, codecs, await FilterAsync(table, condition, cancellationToken)), groups);
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                while (await reader.ReadAsync(cancellationToken)) row(reader.GetInt64(0), reader.GetInt64(1));
                return true;
            });

    /// <summary>Gives the keys' cells, with their hashes, of the rows whose key hashes are among some.</summary>
    public Task KeysAsync(TableSchema table, TypeCodec[] codecs, long[] hashes, string? condition, Action<long, byte[]> key, CancellationToken cancellationToken) =>
        TranslateAsync(
            table,
            async () =>
            {
                await using var command = Command(DigestSql.KeysOfRows(table, codecs, await FilterAsync(table, condition, cancellationToken)), hashes);
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                var cells = new ChangeBuffer(256);
                while (await reader.ReadAsync(cancellationToken))
                {
                    cells.Clear();
                    for (var i = 0; i < table.Key.Length; i++) codecs[table.Key[i]].DecodeText(Encoding.UTF8.GetBytes(reader.GetString(i + 1)), cells);
                    key(reader.GetInt64(0), cells.Written.ToArray());
                }
                return true;
            });

    /// <summary>Gives the rows, each value in canonical form and null for NULL, whose key hashes are among some.</summary>
    public Task ValuesAsync(TableSchema table, TypeCodec[] codecs, long[] hashes, string? condition, Action<long, string?[]> row, CancellationToken cancellationToken) =>
        TranslateAsync(
            table,
            async () =>
            {
                await using var command = Command(DigestSql.ValuesOfRows(table, codecs, await FilterAsync(table, condition, cancellationToken)), hashes);
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                while (await reader.ReadAsync(cancellationToken))
                    row(reader.GetInt64(0), [.. Enumerable.Range(1, codecs.Length).Select(i => reader.IsDBNull(i) ? null : reader.GetString(i))]);
                return true;
            });

    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }

    private async Task AddGroupsAsync(GroupDigests groups, TableSchema table, TypeCodec[] codecs, string? filter, CancellationToken cancellationToken)
    {
        await using var command = Command(DigestSql.Groups(table, codecs, filter));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            groups.AddGroup(reader.GetInt32(0), reader.GetInt64(1), Int128.Parse(reader.GetString(2), CultureInfo.InvariantCulture));
    }

    private async Task<string?> FilterAsync(TableSchema table, string? condition, CancellationToken cancellationToken)
    {
        await using var command = Command(
            "SELECT pg_catalog.to_jsonb(p) ->> 'rowfilter' FROM pg_catalog.pg_publication_tables AS p WHERE pubname = $1 AND schemaname = $2 AND tablename = $3",
            _publication, table.Schema, table.Name);
        var filter = await command.ExecuteScalarAsync(cancellationToken) as string;
        return filter is null || condition is null ? filter ?? condition : $"({filter}) AND {condition}";
    }

    private NpgsqlCommand Command(string sql, params object[] parameters)
    {
        var command = Primary.Command(_connection, sql, parameters);
        command.CommandTimeout = 0; // a large table takes as long as it takes; Ctrl-C ends it
        return command;
    }

    private static async Task<T> TranslateAsync<T>(TableSchema table, Func<Task<T>> action)
    {
        try
        {
            return await action();
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedTable
            or PostgresErrorCodes.UndefinedFunction)
        {
            throw new DbSyncException(
                ErrorCodes.SchemaChanged, $"{table} was altered on the primary while it was being compared.", "Run 'dbsync verify' again.", exception);
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is { } translated)
        {
            throw translated;
        }
    }
}
