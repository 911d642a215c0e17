using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>
/// A connection whose commands leave their prepared statements behind for the next command of the same text: EF Core makes a command anew for
/// every execution, and to prepare a point read takes SQLite longer than to run it. One context at a time uses it.
/// </summary>
/// <remarks>SQLite prepares a kept statement again by itself once the schema, a collation or a function has changed.</remarks>
internal sealed class ReusingConnection(string connectionString) : SqliteConnection(connectionString)
{
    /// <summary>Shapes beyond these, as an application makes them with literals in its SQL, start over.</summary>
    private const int IdleMax = 128;

    private readonly Dictionary<string, SqliteCommand> _idle = new(StringComparer.Ordinal);

    /// <summary>A command of this text without parameters, for the caller alone until it is returned or disposed.</summary>
    public SqliteCommand Take(string sql) => _idle.Remove(sql, out var kept) ? kept : new SqliteCommand(sql, this) { CommandTimeout = DefaultTimeout };

    /// <summary>Keeps a command whose reader is closed.</summary>
    public void Return(SqliteCommand command)
    {
        command.Parameters.Clear();
        if (_idle.Count >= IdleMax) Forget();
        if (State != ConnectionState.Open || !_idle.TryAdd(command.CommandText, command)) command.Dispose();
    }

    protected override DbCommand CreateDbCommand() => new ReusedCommand(this);

    protected override void Dispose(bool disposing)
    {
        if (disposing) Forget();
        base.Dispose(disposing);
    }

    private void Forget()
    {
        foreach (var command in _idle.Values) command.Dispose();
        _idle.Clear();
    }
}
