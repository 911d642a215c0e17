using System.Text;
using DbSync.Sqlite;
using Microsoft.Data.Sqlite;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>Prepared statements on a connection that Microsoft.Data.Sqlite opened: what runs with every query must cost next to nothing.</summary>
internal sealed class NativeStatements(SqliteConnection connection)
{
    private readonly nint _database = connection.Handle!.DangerousGetHandle();

    /// <exception cref="DbSyncException">DBS4004 when SQLite refuses it.</exception>
    public unsafe NativeStatement Prepare(string sql)
    {
        var utf8 = Encoding.UTF8.GetBytes(sql);
        fixed (byte* pointer = utf8)
        {
            var result = SqliteApi.Prepare(_database, pointer, utf8.Length, SqliteApi.PreparePersistent, out var statement, 0);
            if (result != SqliteApi.Ok) throw Failure(result);
            return new NativeStatement(this, statement);
        }
    }

    public DbSyncException Failure(int result) =>
        new(ErrorCodes.StorageFailed, $"SQLite answered {result} ({SqliteApi.ErrorMessage(_database)}) while reading a replica.", "The primary answers meanwhile.");
}

/// <summary>One prepared statement without parameters.</summary>
internal sealed unsafe class NativeStatement(NativeStatements owner, nint handle) : IDisposable
{
    private nint _handle = handle;

    /// <summary>Goes to the next row; at the end it makes ready for the next run and returns false.</summary>
    public bool Step()
    {
        var result = SqliteApi.Step(_handle);
        if (result == SqliteApi.Row) return true;
        _ = SqliteApi.Reset(_handle);
        return result == SqliteApi.Done ? false : throw owner.Failure(result);
    }

    /// <summary>Runs to the end.</summary>
    public void Run()
    {
        while (Step())
        {
            // no row matters
        }
    }

    /// <summary>The first column of the only row.</summary>
    public long Single()
    {
        var value = Step() ? Integer(0) : 0;
        Reset();
        return value;
    }

    public void Reset() => _ = SqliteApi.Reset(_handle);

    public long Integer(int column) => SqliteApi.ColumnInteger(_handle, column);

    public bool IsNull(int column) => SqliteApi.ColumnType(_handle, column) == SqliteApi.Null;

    public ReadOnlySpan<byte> Bytes(int column)
    {
        var pointer = SqliteApi.ColumnBlob(_handle, column);
        return new ReadOnlySpan<byte>(pointer, SqliteApi.ColumnBytes(_handle, column));
    }

    public string Text(int column) => Encoding.UTF8.GetString(Bytes(column));

    public void Dispose()
    {
        _ = SqliteApi.Finalize(_handle);
        _handle = 0;
    }
}
