using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace DbSync.Sqlite;

/// <summary>Lets nothing through but one statement that only reads.</summary>
internal static class ReadOnlyStatement
{
    private const int Deny = raw.SQLITE_DENY;

    /// <summary>
    /// From here on the connection runs only SELECT: SQLite asks before each thing that a statement does, and PRAGMA, ATTACH,
    /// transactions and writes are refused. <c>sqlite3_stmt_readonly</c> alone would let PRAGMA, ATTACH and BEGIN through; the authorizer
    /// alone isn't asked about VACUUM INTO. <see cref="Check"/> asks both.
    /// </summary>
    /// <param name="connection">The connection.</param>
    /// <param name="reading">Told the name of every table read.</param>
    public static void Enforce(SqliteConnection connection, Action<string> reading)
    {
        int Authorize(object user, int action, utf8z first, utf8z second, utf8z database, utf8z inner)
        {
            if (action == raw.SQLITE_READ && first.utf8_to_string() is { } table) reading(table);
            return action is raw.SQLITE_SELECT or raw.SQLITE_READ or raw.SQLITE_FUNCTION or raw.SQLITE_RECURSIVE ? raw.SQLITE_OK : Deny;
        }
        raw.sqlite3_set_authorizer(connection.Handle, Authorize, null);
    }

    /// <summary>Checks a statement before it runs.</summary>
    /// <exception cref="DbSyncException">DBS1005 when it is no single statement that reads, or SQLite doesn't understand it.</exception>
    public static void Check(SqliteConnection connection, string sql)
    {
        var rest = Prepare(connection, sql, out var isStatement);
        if (!isStatement) throw Refused("It holds no statement.");
        while (rest.Length > 0)
        {
            rest = Prepare(connection, rest, out var another);
            if (another) throw Refused("It holds more than one statement.");
        }
    }

    private static string Prepare(SqliteConnection connection, string sql, out bool isStatement)
    {
        var result = raw.sqlite3_prepare_v2(connection.Handle, sql, out var statement, out var tail);
        using (statement)
        {
            if (result == raw.SQLITE_AUTH) throw Refused("It does more than read.");
            if (result != raw.SQLITE_OK) throw Refused($"SQLite says: {raw.sqlite3_errmsg(connection.Handle).utf8_to_string()}.");
            isStatement = statement is { IsInvalid: false };
            if (isStatement && raw.sqlite3_stmt_readonly(statement) == 0) throw Refused("It does more than read.");
            return tail ?? "";
        }
    }

    private static DbSyncException Refused(string reason) => new(
        ErrorCodes.ReadOnlyQuery, $"The statement was refused. {reason}", "Give one SELECT in SQLite's dialect; tables of schemas other than public are named \"schema.table\".");
}
