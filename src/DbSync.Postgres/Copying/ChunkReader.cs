using System.Buffers.Binary;
using System.Collections.Immutable;
using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Reads one chunk in a transaction of its own: lock, snapshot, catalog, rows. The lock comes first, since a snapshot taken before it can
/// see a table empty that an ALTER has rewritten meanwhile.
/// </summary>
internal sealed class ChunkReader(Primary primary, TableCatalog catalog, PrimaryOptions options)
{
    public Task<TransactionSnapshot> ReadAsync(
        TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows, CancellationToken cancellationToken) =>
        primary.BlockAsync(
            connection =>
            {
                try
                {
                    return Read(connection, table, chunk, locked, rows);
                }
                catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.LockNotAvailable)
                {
                    throw new ChunkNotReadyException($"{table} is locked by somebody else");
                }
                catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName)
                {
                    throw new ChunkNotReadyException($"{table} has another name", Current(connection, table));
                }
            },
            cancellationToken);

    /// <summary>Reads rows by their keys, in a snapshot that somebody holds open with the table locked.</summary>
    public Task ReadRowsAsync(TableSchema table, IReadOnlyList<byte[]> keys, string snapshot, ChunkRows rows, CancellationToken cancellationToken) => primary.BlockAsync(
        connection =>
        {
            using var transaction = connection.BeginTransaction(System.Data.IsolationLevel.RepeatableRead);
            Run(connection, $"SET TRANSACTION SNAPSHOT {PgName.Literal(snapshot)}");
            Run(connection, "SET LOCAL row_security = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"); // by the key's index
            if (catalog.Load(connection, options.Publication, table.Id.Oid).FirstOrDefault() is not { } current || !current.StoresLike(table))
                throw new DbSyncException(ErrorCodes.SchemaChanged, $"{table} was altered on the primary.", "Try again once the replica has the change.");
            var codecs = catalog.CodecsOf(table);
            var asked = keys.ToHashSet(KeyComparer.Instance);
            var key = new ChangeBuffer(256);
            var binary = new BinaryCopy(codecs.Length, fields =>
            {
                var start = rows.Current().Length;
                Decode(fields, table.Columns, codecs, rows);
                var buffer = rows.Last;
                key.Clear();
                RowCells.AppendKey(table, buffer.Written[start..], key);
                if (asked.GetAlternateLookup<ReadOnlySpan<byte>>().Contains(key.Written)) return;
                buffer.Rewind(start); // a collation takes it for equal, and it is another row
                rows.Count--;
            });
            using (var copy = new CopyOut(connection, KeysSql(table, codecs, keys, Filter(connection, table))))
                while (copy.TryRead(out var bytes)) binary.Take(bytes);
            binary.End();
            return true;
        },
        cancellationToken);

    private TransactionSnapshot Read(
        NpgsqlConnection connection, TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows)
    {
        using var transaction = connection.BeginTransaction(System.Data.IsolationLevel.RepeatableRead);
        Run(
            connection,
            FormattableString.Invariant(
                $"SET LOCAL row_security = off; SET LOCAL lock_timeout = {(long)options.LockTimeout.TotalMilliseconds}; LOCK TABLE {PgName.Quote(table)} IN ACCESS SHARE MODE"));
        var demand = locked().GetAwaiter().GetResult(); // this thread is the chunk's own
        var snapshot = Primary.SnapshotOf(connection);
        Check(connection, snapshot, demand);
        var current = Current(connection, table);
        if (!current.StoresLike(table)) throw new ChunkNotReadyException($"{table} has changed its shape", current);
        Failpoint.Hit(Failpoint.AfterChunkSnapshot);
        var filter = Filter(connection, table);
        var codecs = catalog.CodecsOf(table);
        var binary = new BinaryCopy(codecs.Length, fields => Decode(fields, table.Columns, codecs, rows));
        using (var copy = new CopyOut(connection, CopySql(table, codecs, chunk, filter)))
            while (copy.TryRead(out var bytes)) binary.Take(bytes);
        binary.End();
        transaction.Commit();
        rows.Shape = current;
        return snapshot;
    }

    /// <summary>The table as it is now, by its id: its name may be another's by now.</summary>
    private TableSchema Current(NpgsqlConnection connection, TableSchema table) =>
        catalog.Load(connection, options.Publication, table.Id.Oid).FirstOrDefault()
            ?? throw new ChunkNotReadyException($"{table} is no longer published", isGone: true);

    /// <summary>A snapshot that does not see everything that the stream has already passed would lose it.</summary>
    private static void Check(NpgsqlConnection connection, TransactionSnapshot snapshot, SnapshotDemand demand)
    {
        if (snapshot.Xmin >= demand.Horizon && demand.Seen.All(snapshot.Sees)) return;
        using var command = Primary.Command(
            connection,
            "SELECT pid FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() ORDER BY xact_start LIMIT 1");
        var pid = command.ExecuteScalar();
        throw new ChunkNotReadyException(
            pid is null ? "a prepared or just committed transaction has to end first" : $"a transaction of server process {pid} has to end first");
    }

    private string? Filter(NpgsqlConnection connection, TableSchema table)
    {
        using var command = Primary.Command(
            connection,
            "SELECT pg_catalog.to_jsonb(p) ->> 'rowfilter' FROM pg_catalog.pg_publication_tables AS p WHERE pubname = $1 AND schemaname = $2 AND tablename = $3",
            options.Publication, table.Schema, table.Name);
        return command.ExecuteScalar() as string;
    }

    private static string CopySql(TableSchema table, TypeCodec[] codecs, ChunkRecord chunk, string? filter)
    {
        var columns = string.Join(", ", table.Columns.Select((c, i) => codecs[i].CopySql(PgName.Quote(c.Name))));
        var key = string.Join(", ", table.Key.Select(k => PgName.Quote(table.Columns[k].Name)));
        var conditions = new List<string>();
        if (chunk.Lower is not null && ReferenceEquals(chunk.Lower, chunk.Upper)) return $"COPY (SELECT {columns} FROM {PgName.Quote(table)} WHERE ({key}) = ({Literals(chunk.Lower)}){(filter is null ? "" : $" AND ({filter})")}) TO STDOUT (FORMAT binary)";
        if (chunk.Lower is not null) conditions.Add($"({key}) >= ({Literals(chunk.Lower)})");
        if (chunk.Upper is not null) conditions.Add($"({key}) < ({Literals(chunk.Upper)})");
        if (filter is not null) conditions.Add($"({filter})");
        var where = conditions.Count == 0 ? "" : $" WHERE {string.Join(" AND ", conditions)}";
        var order = chunk.Lower is null && chunk.Upper is null ? "" : $" ORDER BY {key}";
        return $"COPY (SELECT {columns} FROM {PgName.RowsOf(table)}{where}{order}) TO STDOUT (FORMAT binary)";

        string Literals(ChunkBound bound) =>
            string.Join(", ", bound.Literals.Select((l, i) => $"{PgName.Literal(l)}::{table.Columns[table.Key[i]].TypeName}"));
    }

    private static string KeysSql(TableSchema table, TypeCodec[] codecs, IReadOnlyList<byte[]> keys, string? filter)
    {
        var columns = string.Join(", ", table.Columns.Select((c, i) => codecs[i].CopySql(PgName.Quote(c.Name))));
        var key = string.Join(", ", table.Key.Select(k => PgName.Quote(table.Columns[k].Name)));
        var literals = keys.Select(k => KeyLiterals.Of(table, k)).ToList();
        var typed = string.Join(", ", table.Key.Select((k, i) => $"asked.k{i}::{table.Columns[k].TypeName}"));
        var names = string.Join(", ", table.Key.Select((_, i) => $"k{i}"));
        var arrays = string.Join(", ", table.Key.Select((_, i) => $"ARRAY[{string.Join(", ", literals.Select(l => PgName.Literal(l[i])))}]::text[]"));
        return $"COPY (SELECT {columns} FROM {PgName.RowsOf(table)} WHERE ({key}) IN (SELECT {typed} FROM unnest({arrays}) AS asked({names}))"
            + $"{(filter is null ? "" : $" AND ({filter})")}) TO STDOUT (FORMAT binary)";
    }

    private static bool Decode(ReadOnlySpan<byte> field, TypeCodec codec, ColumnSchema column, ChangeBuffer target)
    {
        try
        {
            return codec.DecodeBinary(field, target);
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
        {
            throw new UnstorableValueException(column.Name, exception);
        }
    }

    private static void Decode(ReadOnlySpan<byte> fields, ImmutableArray<ColumnSchema> columns, TypeCodec[] codecs, ChunkRows rows)
    {
        var target = rows.Current();
        for (var i = 0; i < codecs.Length; i++)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(fields);
            if (length < 0)
            {
                target.WriteNull();
                fields = fields[4..];
                continue;
            }
            if (!Decode(fields.Slice(4, length), codecs[i], columns[i], target)) rows.KeptAsText.Add(i);
            fields = fields[(4 + length)..];
        }
        rows.Count++;
    }

    private static void Run(NpgsqlConnection connection, string sql)
    {
        using var command = new NpgsqlCommand(sql, connection);
        command.ExecuteNonQuery();
    }
}
