using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace DbSync.Sqlite;

/// <summary>
/// One connection over all shards of a node. The first shard is the connection's own file, the others are attached, and a temporary view
/// with a table's name is all of its rows: conditions on it reach the index in each shard. What is not sharded is read from the first.
/// </summary>
internal static class ShardUnion
{
    /// <summary>SQLite attaches ten files at most.</summary>
    public const int ShardsMax = 10;

    /// <summary>Attempts to find all shards at one position: they commit together, so a few are as a rule enough.</summary>
    private const int AttemptsMax = 2000;

    private const int Innocuous = 0x0020_0000; // SQLITE_INNOCUOUS: may be called from a view

    /// <summary>The shards' own connections, where there are more than can be attached.</summary>
    private static readonly ConditionalWeakTable<SqliteConnection, IReadOnlyList<SqliteConnection>> Scanned = [];

    /// <summary>The name that a shard's file has in this connection's SQL.</summary>
    public static string NameOf(int shard) => shard == 0 ? "main" : FormattableString.Invariant($"\"shard {shard}\"");

    public static void Attach(SqliteConnection connection, IReadOnlyList<string> paths)
    {
        for (var shard = 1; shard < paths.Count; shard++)
        {
            using var command = connection.CreateCommand();
            command.CommandText = $"ATTACH DATABASE $path AS {NameOf(shard)}"; // read-only, as the connection itself
            command.Parameters.AddWithValue("$path", paths[shard]);
            command.ExecuteNonQuery();
        }
    }

    /// <summary>Makes a virtual table of each sharded table: for more shards than can be attached.</summary>
    /// <param name="connection">The connection that will read all; it is over the first shard.</param>
    /// <param name="shards">A connection to each shard, which the first one takes with it when it closes.</param>
    public static void Scan(SqliteConnection connection, IReadOnlyList<SqliteConnection> shards)
    {
        var scan = new ShardScan([.. shards.Select(s => s.Handle!.DangerousGetHandle())], shards);
        scan.Register(connection.Handle!.DangerousGetHandle());
        Scanned.Add(connection, shards);
        var sql = new StringBuilder("PRAGMA query_only = OFF;");
        string Metadata(string table, params string[] columns) => scan.CreateSql(
            $"{table} of all", SqlName.List(columns), columns, [.. columns.Select(_ => "BINARY")], _ => SqlName.Quote(table));
        sql.Append(Metadata("dbsync.table", "oid", "name", "schema", "state")).Append(Metadata("dbsync.primary_only", "table_oid", "column"));
        sql.Append(MetadataViews(shards.Count, "SELECT * FROM temp.\"dbsync.table of all\"", "SELECT * FROM temp.\"dbsync.primary_only of all\""));
        var layout = LayoutOf(connection);
        foreach (var table in Read(connection, "SELECT schema FROM main.\"dbsync.table\"", r => JsonSerializer.Deserialize<TableSchema>(r.GetString(0))!))
        {
            if (layout?.Keys.GetValueOrDefault(table.ReplicaName) is not { } rule) continue;
            var names = shards.Select(NameIn).ToList();
            string? owner = null;
            foreach (var shard in shards)
                if (NeedsOwner(layout, shards.Any(HasLeaving))) owner = RegisterOwner(shard, table, rule, layout, names);
            sql.Append(scan.CreateSql(
                table.ReplicaName, string.Join(", ", table.Columns.Select(ReplicaTable.ColumnSql)), [.. table.Columns.Select(c => c.Name)],
                [.. table.Columns.Select(c => c.Collation ?? "BINARY")],
                at => SqlName.Quote(table.ReplicaName)
                    + (owner is null ? "" : FormattableString.Invariant($" WHERE {owner}({SqlName.List(rule.Columns)}) = {at}"))));
        }
        Execute(connection, sql.Append("PRAGMA query_only = ON").ToString());
    }

    /// <summary>Makes the views anew, by the tables and the layout that there are now.</summary>
    public static void CreateViews(SqliteConnection connection, int shards)
    {
        var sql = new StringBuilder("PRAGMA query_only = OFF;");
        foreach (var view in Read(connection, "SELECT name FROM temp.sqlite_schema WHERE type = 'view'", r => r.GetString(0))) sql.Append($"DROP VIEW temp.{SqlName.Quote(view)};");
        sql.Append(MetadataViews(
            shards, All(shards, n => $"SELECT oid, name, schema, state FROM {n}.\"dbsync.table\""),
            All(shards, n => $"SELECT table_oid, \"column\" FROM {n}.\"dbsync.primary_only\"")));
        var layout = LayoutOf(connection);
        foreach (var table in Read(connection, "SELECT schema FROM main.\"dbsync.table\"", r => JsonSerializer.Deserialize<TableSchema>(r.GetString(0))!))
            if (layout?.Keys.GetValueOrDefault(table.ReplicaName) is { } rule) sql.Append(ViewOf(connection, table, rule, layout, shards));
        Execute(connection, sql.Append("PRAGMA query_only = ON").ToString());
    }

    /// <summary>A statement of one value: 1 when all shards are at one position, and read there from now on.</summary>
    public static string AgreementSql(int shards) =>
        $"SELECT min(at) = max(at) FROM ({All(shards, name => $"SELECT applied_lsn AS at FROM {name}.\"dbsync.shard\"")})";

    /// <summary>Opens a read transaction in which all shards are at one position.</summary>
    /// <exception cref="DbSyncException">DBS8005 when they don't come to one.</exception>
    public static void Begin(SqliteConnection connection, int shards)
    {
        if (shards == 1)
        {
            Execute(connection, "BEGIN");
            return;
        }
        var scanned = Scanned.TryGetValue(connection, out var others) ? others : null;
        var agreement = AgreementSql(shards);
        var spin = default(SpinWait);
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            if (scanned is null ? Agrees() : AgreesEach(connection, scanned)) return;
            End(connection);
            spin.SpinOnce();
        }
        throw NoAgreement();

        bool Agrees()
        {
            Execute(connection, "BEGIN");
            return Read(connection, agreement, r => r.GetInt64(0)).Single() == 1;
        }
    }

    /// <summary>How many shards a connection reads.</summary>
    public static int CountOf(SqliteConnection connection) => Scanned.TryGetValue(connection, out var shards)
        ? shards.Count
        : Read(connection, "SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'", r => r.GetInt32(0)).Single();

    /// <summary>Ends the transaction of <see cref="Begin"/>.</summary>
    public static void End(SqliteConnection connection)
    {
        Execute(connection, "COMMIT");
        if (!Scanned.TryGetValue(connection, out var shards)) return;
        foreach (var shard in shards) Execute(shard, "COMMIT");
    }

    private static bool AgreesEach(SqliteConnection connection, IReadOnlyList<SqliteConnection> shards)
    {
        foreach (var each in shards.Prepend(connection)) Execute(each, "BEGIN");
        return shards.Prepend(connection).Select(each => Read(each, "SELECT applied_lsn FROM main.\"dbsync.shard\"", r => r.GetInt64(0)).Single()).Distinct().Count() == 1;
    }

    public static DbSyncException NoAgreement() => new(
        ErrorCodes.ShardsApart, "The shards of this node are at different positions.",
        "Ask one shard by its name, or the primary; after a crash the node has to run again before all shards can be read together.");

    private static string NameIn(SqliteConnection shard) => Read(shard, "SELECT shard FROM main.\"dbsync.shard\"", r => r.GetString(0)).Single();

    private static string MetadataViews(int shards, string tables, string marks) =>
        $"""
        CREATE TEMP VIEW "dbsync.table" AS
            SELECT oid, name, schema, CASE WHEN count(*) = {shards} THEN min(state) ELSE 1 END AS state FROM ({tables}) GROUP BY oid;
        CREATE TEMP VIEW "dbsync.primary_only" AS
            SELECT DISTINCT table_oid, "column" FROM ({marks});
        """;

    private static string ViewOf(SqliteConnection connection, TableSchema table, ShardKeyRule rule, ShardLayout layout, int shards)
    {
        var columns = SqlName.List(table.Columns.Select(c => c.Name));
        var owner = !NeedsOwner(layout, Enumerable.Range(0, shards).Any(s => HasLeaving(connection, NameOf(s)))) ? null : RegisterOwner(
            connection, table, rule, layout,
            [.. Enumerable.Range(0, shards).Select(s => Read(connection, $"SELECT shard FROM {NameOf(s)}.\"dbsync.shard\"", r => r.GetString(0)).Single())]);
        var parts = string.Join(
            " UNION ALL ",
            Enumerable.Range(0, shards).Select(s => $"SELECT {columns} FROM {NameOf(s)}.{SqlName.Quote(table.ReplicaName)}"
                + (owner is null ? "" : FormattableString.Invariant($" WHERE {owner}({SqlName.List(rule.Columns)}) = {s}"))));
        return $"CREATE TEMP VIEW {SqlName.Quote(table.ReplicaName)} AS {parts};";
    }

    /// <summary>Whether a row may be in another shard than the one that it is to be read from.</summary>
    private static bool NeedsOwner(ShardLayout layout, bool someLeave) => layout.Map.Topology.Copies > 1 || layout.Motion is not null || someLeave;

    private static bool HasLeaving(SqliteConnection connection) => HasLeaving(connection, NameOf(0));

    private static bool HasLeaving(SqliteConnection connection, string database) =>
        Read(connection, $"SELECT count(*) FROM {database}.sqlite_schema WHERE name = '{ShardMetadata.LeavingName}'", r => r.GetInt64(0)).Single() != 0;

    /// <summary>With several copies of each row, the first shard here that holds its bucket is asked for it.</summary>
    private static string RegisterOwner(SqliteConnection connection, TableSchema table, ShardKeyRule rule, ShardLayout layout, List<string> names)
    {
        var name = FormattableString.Invariant($"dbsync_owner_{table.Id.Oid}");
        var ordinals = layout.Map.Topology.Shards.Select(s => names.IndexOf(s.Id.Name)).ToArray();
        var buffer = new ChangeBuffer(256);
        void Owner(sqlite3_context context, object user, sqlite3_value[] values)
        {
            var hash = 0ul;
            for (var i = 0; i < values.Length; i++) hash = PostgresHash.Combine(hash, HashOf(rule.Kinds[i], values[i], buffer));
            foreach (var owner in layout.Map.OwnersOf(Bucket.OfHash(hash)))
            {
                if (ordinals[owner] < 0) continue;
                raw.sqlite3_result_int(context, ordinals[owner]);
                return;
            }
            raw.sqlite3_result_int(context, -1);
        }
        raw.sqlite3_create_function(connection.Handle, name, rule.Columns.Length, raw.SQLITE_UTF8 | raw.SQLITE_DETERMINISTIC | Innocuous, null, Owner);
        return name;
    }

    private static ulong HashOf(HashKind kind, sqlite3_value value, ChangeBuffer buffer)
    {
        buffer.Clear();
        switch (raw.sqlite3_value_type(value))
        {
            case raw.SQLITE_INTEGER:
                buffer.WriteInteger(raw.sqlite3_value_int64(value));
                break;
            case raw.SQLITE_BLOB:
                buffer.WriteBlob(raw.sqlite3_value_blob(value));
                break;
            default:
                buffer.WriteText(Encoding.UTF8.GetBytes(raw.sqlite3_value_text(value).utf8_to_string()));
                break;
        }
        var cells = buffer.Written;
        return PostgresHash.OfCell(kind, Cell.Read(ref cells));
    }

    /// <summary>The layout of the first shard; null when the replica is not sharded.</summary>
    public static ShardLayout? LayoutOf(SqliteConnection connection) => Read(
        connection, "SELECT version, copies, spread, hash, shards, keys, owners FROM main.\"dbsync.layout\"",
        r => ShardLayout.Of(new ShardLayoutRow(
            r.GetInt64(0), r.GetInt32(1), r.GetInt32(2), r.GetString(3), r.GetString(4), r.GetString(5), r.GetFieldValue<byte[]>(6)))).SingleOrDefault();

    private static string All(int shards, Func<string, string> select) => string.Join(" UNION ALL ", Enumerable.Range(0, shards).Select(s => select(NameOf(s))));

    private static List<T> Read<T>(SqliteConnection connection, string sql, Func<SqliteDataReader, T> row)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<T>();
        while (reader.Read()) rows.Add(row(reader));
        return rows;
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
