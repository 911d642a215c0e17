using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>What EF Core takes for a command made anew: one that has run before, if the connection keeps one of its text.</summary>
internal sealed class ReusedCommand(ReusingConnection connection) : DbCommand
{
    private SqliteCommand? _command;
    private SqliteDataReader? _reader;
    private bool _isTaken;
    private bool _isBroken;

    [AllowNull]
    public override string CommandText
    {
        get => Command.CommandText;
        set
        {
            var parameters = _command is { Parameters.Count: > 0 } before ? before.Parameters.Cast<SqliteParameter>().ToArray() : [];
            GiveBack();
            (_command, _isTaken, _isBroken) = (connection.Take(value ?? ""), true, false);
            foreach (var parameter in parameters) _command.Parameters.Add(parameter);
        }
    }

    public override int CommandTimeout { get => Command.CommandTimeout; set => Command.CommandTimeout = value; }

    public override CommandType CommandType { get => Command.CommandType; set => Command.CommandType = value; }

    public override bool DesignTimeVisible { get; set; }

    public override UpdateRowSource UpdatedRowSource { get; set; }

    private SqliteCommand Command => _command ??= new SqliteCommand();

    protected override DbConnection? DbConnection
    {
        get => connection;
        set
        {
            if (value != connection) throw new NotSupportedException("A replica's command stays on its connection.");
        }
    }

    protected override DbParameterCollection DbParameterCollection => Command.Parameters;

    protected override DbTransaction? DbTransaction { get => Command.Transaction; set => Command.Transaction = (SqliteTransaction?)value; }

    public override void Cancel() => Command.Cancel();

    public override int ExecuteNonQuery() => Guarded(static command => command.ExecuteNonQuery());

    public override object? ExecuteScalar() => Guarded(static command => command.ExecuteScalar());

    public override void Prepare() => Command.Prepare();

    protected override DbParameter CreateDbParameter() => new SqliteParameter();

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior)
    {
        _isBroken = true;
        _reader = Command.ExecuteReader(behavior);
        _isBroken = false;
        return _reader;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) GiveBack();
        base.Dispose(disposing);
    }

    private T Guarded<T>(Func<SqliteCommand, T> run)
    {
        _isBroken = true;
        var result = run(Command);
        _isBroken = false;
        return result;
    }

    /// <summary>A command that failed, or whose rows are still being read, is not kept.</summary>
    private void GiveBack()
    {
        if (!_isTaken) return;
        _isTaken = false;
        if (_isBroken || _reader is { IsClosed: false }) Command.Dispose();
        else connection.Return(Command);
        _reader = null;
    }
}
