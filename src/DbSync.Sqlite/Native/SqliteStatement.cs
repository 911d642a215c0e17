using System.Text;

namespace DbSync.Sqlite;

/// <summary>A prepared statement. Values are bound from where they lie; they must stay there until <see cref="Run"/> or the last step.</summary>
internal sealed unsafe class SqliteStatement(SqliteDatabase database, nint prepared) : IDisposable
{
    private nint _handle = prepared;

    private const nint Static = 0; // SQLITE_STATIC: the memory outlives the statement's run
    private const nint Transient = -1; // SQLITE_TRANSIENT: SQLite copies

    public void Bind(int index, Cell cell)
    {
        switch (cell.Kind)
        {
            case CellKind.Null:
                _ = SqliteApi.BindNull(_handle, index);
                return;
            case CellKind.Integer:
                _ = SqliteApi.BindInteger(_handle, index, cell.Integer);
                return;
            case CellKind.Real:
                _ = SqliteApi.BindReal(_handle, index, cell.Real);
                return;
            case CellKind.Text:
                fixed (byte* pointer = &NotNull(cell.Bytes)) database.Check(SqliteApi.BindText(_handle, index, pointer, cell.Bytes.Length, Static));
                return;
            case CellKind.Blob:
                fixed (byte* pointer = &NotNull(cell.Bytes)) database.Check(SqliteApi.BindBlob(_handle, index, pointer, cell.Bytes.Length, Static));
                return;
            default:
                throw new InvalidOperationException("A cell without a value can't be bound.");
        }
    }

    public SqliteStatement Bind(int index, long value)
    {
        _ = SqliteApi.BindInteger(_handle, index, value);
        return this;
    }

    public SqliteStatement Bind(int index, string? value)
    {
        if (value is null)
        {
            _ = SqliteApi.BindNull(_handle, index);
            return this;
        }
        var utf8 = Encoding.UTF8.GetBytes(value);
        fixed (byte* pointer = &NotNull(utf8)) database.Check(SqliteApi.BindText(_handle, index, pointer, utf8.Length, Transient));
        return this;
    }

    public SqliteStatement Bind(int index, byte[]? value)
    {
        if (value is null) _ = SqliteApi.BindNull(_handle, index);
        else
            fixed (byte* pointer = &NotNull(value)) database.Check(SqliteApi.BindBlob(_handle, index, pointer, value.Length, Transient));
        return this;
    }

    /// <summary>Runs to the end and makes ready for the next run.</summary>
    public void Run()
    {
        var result = SqliteApi.Step(_handle);
        if (result == SqliteApi.Row) result = SqliteApi.Done;
        _ = SqliteApi.Reset(_handle);
        if (result != SqliteApi.Done) throw database.Failure(result);
    }

    /// <summary>Runs to the end; false when a constraint was violated.</summary>
    public bool TryRun()
    {
        var result = SqliteApi.Step(_handle);
        _ = SqliteApi.Reset(_handle);
        if (result == SqliteApi.Done) return true;
        if ((result & 0xFF) == SqliteApi.Constraint) return false;
        throw database.Failure(result);
    }

    /// <summary>Runs to the end; false when somebody else has what it locks.</summary>
    public bool TryRunNow()
    {
        database.WaitForLocks(false);
        var result = SqliteApi.Step(_handle);
        _ = SqliteApi.Reset(_handle);
        database.WaitForLocks(true);
        if (result == SqliteApi.Done) return true;
        if ((result & 0xFF) == SqliteApi.Busy) return false;
        throw database.Failure(result);
    }

    /// <summary>Goes to the next row; at the end it makes ready for the next run and returns false.</summary>
    public bool Step()
    {
        var result = SqliteApi.Step(_handle);
        if (result == SqliteApi.Row) return true;
        _ = SqliteApi.Reset(_handle);
        if (result != SqliteApi.Done) throw database.Failure(result);
        return false;
    }

    public void Reset() => _ = SqliteApi.Reset(_handle);

    public int ColumnCount => SqliteApi.ColumnCount(_handle);

    public bool IsNull(int column) => SqliteApi.ColumnType(_handle, column) == SqliteApi.Null;

    public long Integer(int column) => SqliteApi.ColumnInteger(_handle, column);

    public string Text(int column) => Encoding.UTF8.GetString(Bytes(column));

    public ReadOnlySpan<byte> Bytes(int column)
    {
        var pointer = SqliteApi.ColumnBlob(_handle, column);
        return new ReadOnlySpan<byte>(pointer, SqliteApi.ColumnBytes(_handle, column));
    }

    /// <summary>Appends a column of the current row as a cell.</summary>
    public void AppendCell(int column, ChangeBuffer target)
    {
        switch (SqliteApi.ColumnType(_handle, column))
        {
            case 1:
                target.WriteInteger(SqliteApi.ColumnInteger(_handle, column));
                return;
            case 2:
                target.WriteReal(SqliteApi.ColumnReal(_handle, column));
                return;
            case 3:
                target.WriteText(Bytes(column));
                return;
            case 4:
                target.WriteBlob(Bytes(column));
                return;
            default:
                target.WriteNull();
                return;
        }
    }

    public void Dispose()
    {
        _ = SqliteApi.Finalize(_handle); // of null it is harmless
        _handle = 0;
    }

    /// <summary>A null pointer would bind NULL: an empty value still needs an address.</summary>
    private static ref readonly byte NotNull(ReadOnlySpan<byte> bytes) =>
        ref bytes.IsEmpty ? ref Empty[0] : ref System.Runtime.InteropServices.MemoryMarshal.GetReference(bytes);

    private static readonly byte[] Empty = GC.AllocateArray<byte>(1, pinned: true);
}
