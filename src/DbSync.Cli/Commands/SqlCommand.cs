using System.CommandLine;
using DbSync.Cli.Status;
using DbSync.Sqlite;
using Microsoft.Data.Sqlite;
using Spectre.Console;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync sql</c>: one SELECT over the replica, with all its collations.</summary>
internal static class SqlCommand
{
    private static readonly Argument<string> Sql = new("SELECT") { Description = "One statement in SQLite's dialect that reads." };

    private static readonly Option<string?> Shard = new("--shard") { Description = "Ask this shard alone; without it all of them as one, at one position.", HelpName = "SHARD" };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("sql", "Run one read-only SELECT over the replica.") { Sql, Shard };
        runner.Bind(command, context => Task.FromResult(Run(context)));
        return (command, """dbsync sql 'SELECT count(*) FROM "sales.orders"' --json""");
    }

    private static int Run(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var identity = settings.LoadIdentity();
        var shard = context.Arguments.GetValue(Shard);
        var connections = new ReplicaConnections(settings.Data);
        using var connection = shard is null ? connections.OpenAll(identity) : connections.Open(identity, shard);
        ShardUnion.Begin(connection, shard is null ? identity.Shards.Count : 1);
        var states = States(connection);
        var unready = new SortedSet<string>(StringComparer.Ordinal);
        ReadOnlyStatement.Enforce(connection, table =>
        {
            if (states.TryGetValue(table, out var state) && state != TableState.Live) unready.Add(table);
        });
        var sql = context.Arguments.GetValue(Sql)!;
        ReadOnlyStatement.Check(connection, sql);
        foreach (var table in unready)
            console.Warn(
                states[table] == TableState.Quarantined
                    ? $"{table} is set aside ({ErrorCodes.ValueUnstorable}): what it holds is old."
                    : $"{table} is still being copied: what it holds is no position of the primary.");
        try
        {
            Query(console, connection, sql, context.Cancellation);
        }
        catch (SqliteException exception)
        {
            throw new DbSyncException(ErrorCodes.ReadOnlyQuery, $"The statement failed. SQLite says: {exception.Message}", innerException: exception);
        }
        return ExitCode.Ok;
    }

    private static void Query(ToolConsole console, SqliteConnection connection, string sql, CancellationToken cancellationToken)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var interrupt = cancellationToken.Register(() => SQLitePCL.raw.sqlite3_interrupt(connection.Handle));
        using var reader = command.ExecuteReader();
        var columns = Enumerable.Range(0, reader.FieldCount).Select(reader.GetName).ToList();
        var rows = new List<object?[]>();
        while (reader.Read()) rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => Value(reader, i))]);
        cancellationToken.ThrowIfCancellationRequested();
        console.WriteJson(new { Columns = columns, Rows = rows });
        if (console.IsJson) return;
        if (!console.People.Profile.Capabilities.Interactive)
        {
            // For a program: tabs between columns, NULL as nothing.
            console.Line(string.Join('\t', columns));
            foreach (var row in rows) console.Line(string.Join('\t', row));
            return;
        }
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var column in columns) table.AddColumn(new TableColumn(new Text(column)));
        foreach (var row in rows) table.AddRow(StatusPage.Cells([.. row.Select(v => v?.ToString() ?? "NULL")]));
        console.People.Write(table);
        console.Line($"{Units.Count(rows.Count)} rows");
    }

    /// <summary>INTEGER and REAL as numbers, TEXT as text, BLOB as PostgreSQL writes bytea.</summary>
    private static object? Value(SqliteDataReader reader, int column) => reader.GetValue(column) switch
    {
        DBNull => null,
        byte[] bytes => @"\x" + Convert.ToHexStringLower(bytes),
        double number when !double.IsFinite(number) => number > 0 ? "Infinity" : "-Infinity",
        var value => value,
    };

    private static Dictionary<string, TableState> States(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT name, state FROM \"dbsync.table\" WHERE name NOT LIKE 'dbsync.%'";
        using var reader = command.ExecuteReader();
        var states = new Dictionary<string, TableState>(StringComparer.OrdinalIgnoreCase);
        while (reader.Read()) states[reader.GetString(0)] = (TableState)reader.GetInt32(1);
        return states;
    }
}
