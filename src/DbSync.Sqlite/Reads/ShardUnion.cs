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

    /// <summary>What the views of a connection were made for.</summary>
    private static readonly ConditionalWeakTable<SqliteConnection, object> MadeFor = [];

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
        var layout = LayoutOf(connection);
        var owners = Owners(layout, [.. shards.Select(s => NameIn(s))]);
        string Metadata(string table, params string[] columns) => scan.CreateSql(
            $"{table} of all", SqlName.List(columns), columns, [.. columns.Select(_ => "BINARY")], at => SqlName.Quote(table) + (owners.Contains(at) ? "" : " WHERE 0"));
        sql.Append(Metadata("dbsync.table", "oid", "name", "schema", "state")).Append(Metadata("dbsync.primary_only", "table_oid", "column"));
        sql.Append(MetadataViews(owners.Count, "SELECT * FROM temp.\"dbsync.table of all\"", "SELECT * FROM temp.\"dbsync.primary_only of all\""));
        foreach (var table in Read(connection, "SELECT schema FROM main.\"dbsync.table\"", r => JsonSerializer.Deserialize<TableSchema>(r.GetString(0))!))
        {
            if (layout?.Keys.GetValueOrDefault(table.ReplicaName) is not { } rule) continue;
            var names = shards.Select(s => NameIn(s)).ToList();
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
        MadeFor.AddOrUpdate(connection, ShapeOf(connection, shards.Count, attached: false));
    }

    /// <summary>Makes the views anew, by the tables and the layout that there are now.</summary>
    public static void CreateViews(SqliteConnection connection, int shards)
    {
        var sql = new StringBuilder("PRAGMA query_only = OFF;");
        foreach (var view in Read(connection, "SELECT name FROM temp.sqlite_schema WHERE type = 'view'", r => r.GetString(0))) sql.Append($"DROP VIEW temp.{SqlName.Quote(view)};");
        var layout = LayoutOf(connection);
        var owners = Owners(layout, [.. Enumerable.Range(0, shards).Select(s => NameIn(connection, s))]);
        sql.Append(MetadataViews(
            owners.Count, string.Join(" UNION ALL ", owners.Select(o => $"SELECT oid, name, schema, state FROM {NameOf(o)}.\"dbsync.table\"")),
            All(shards, n => $"SELECT table_oid, \"column\" FROM {n}.\"dbsync.primary_only\"")));
        foreach (var table in Read(connection, "SELECT schema FROM main.\"dbsync.table\"", r => JsonSerializer.Deserialize<TableSchema>(r.GetString(0))!))
            if (layout?.Keys.GetValueOrDefault(table.ReplicaName) is { } rule) sql.Append(ViewOf(connection, table, rule, layout, shards));
        Execute(connection, sql.Append("PRAGMA query_only = ON").ToString());
        MadeFor.AddOrUpdate(connection, ShapeOf(connection, shards, attached: true));
    }

    /// <summary>What the views depend on: the layout, and the shards' own schemas.</summary>
    private static (long Layout, long Schemas) ShapeOf(SqliteConnection connection, int shards, bool attached) => (
        Read(connection, "SELECT coalesce(max(version), 0) FROM main.\"dbsync.layout\"", r => r.GetInt64(0)).Single(),
        Enumerable.Range(0, attached ? shards : 1).Sum(s => Read(connection, $"PRAGMA {NameOf(s)}.schema_version", r => r.GetInt64(0)).Single()));

    /// <summary>Within the snapshot: the views are those of the layout that holds there.</summary>
    /// <exception cref="DbSyncException">DBS8006 when shards hold rows that this connection is not over.</exception>
    private static void RenewViews(SqliteConnection connection, int shards, IReadOnlyList<SqliteConnection>? scanned)
    {
        if (!MadeFor.TryGetValue(connection, out var before) || before.Equals(ShapeOf(connection, shards, scanned is null))) return;
        var names = scanned?.Select(s => NameIn(s)) ?? Enumerable.Range(0, shards).Select(s => NameIn(connection, s));
        var isSame = scanned is null || ((ValueTuple<long, long>)before).Item1 == ShapeOf(connection, shards, attached: false).Layout;
        if (!isSame || LayoutOf(connection)?.IsHeldBy(names) == false)
        {
            End(connection);
            throw new DbSyncException(ErrorCodes.NotAllHere, "The shard map has changed since the connection was opened.", "Open another one.");
        }
        if (scanned is null) CreateViews(connection, shards);
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
            if (scanned is null ? Agrees() : AgreesEach(connection, scanned))
            {
                RenewViews(connection, shards, scanned);
                return;
            }
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

    private static string NameIn(SqliteConnection connection, int shard = 0) => Read(connection, $"SELECT shard FROM {NameOf(shard)}.\"dbsync.shard\"", r => r.GetString(0)).Single();

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
            [.. Enumerable.Range(0, shards).Select(s => NameIn(connection, s))]);
        var parts = string.Join(
            " UNION ALL ",
            Enumerable.Range(0, shards).Select(s => $"SELECT {columns} FROM {NameOf(s)}.{SqlName.Quote(table.ReplicaName)}"
                + (owner is null ? "" : FormattableString.Invariant($" WHERE {owner}({SqlName.List(rule.Columns)}) = {s}"))));
        return $"CREATE TEMP VIEW {SqlName.Quote(table.ReplicaName)} AS {parts};";
    }

    /// <summary>The shards whose tables have to be readable: one that owns nothing, or nothing yet, keeps nobody from reading.</summary>
    private static List<int> Owners(ShardLayout? layout, List<string> names)
    {
        var owning = layout is null ? [] : layout.Map.Topology.Shards.Where((_, ordinal) => layout.Map.CountCopies()[ordinal] > 0).Select(s => s.Id.Name).ToHashSet(StringComparer.Ordinal);
        return [.. Enumerable.Range(0, names.Count).Where(s => owning.Count == 0 || owning.Contains(names[s]))];
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
