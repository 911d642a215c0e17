using System.Text;

namespace DbSync.Sqlite;

/// <summary>The prepared statements of one replica table, one for each shape of change that has occurred, and the binding of rows to them.</summary>
internal sealed class TableWriter : IDisposable
{
    private const int RowsTogetherMax = 64;
    private const int ParametersMax = 1024;

    private readonly SqliteDatabase _database;
    private readonly TableSchema _table;
    private readonly string _match;
    private readonly bool[] _isKey;
    private readonly int[] _updateParameters;
    private readonly Dictionary<string, SqliteStatement> _updates = [];
    private SqliteStatement? _insert;
    private SqliteStatement? _insertMany;
    private SqliteStatement? _delete;
    private SqliteStatement? _fullUpdate;
    private SqliteStatement? _fullReplace;
    private SqliteStatement? _read;

    public TableWriter(SqliteDatabase database, TableSchema table)
    {
        (_database, _table) = (database, table);
        _isKey = new bool[table.Columns.Length];
        foreach (var k in table.Key) _isKey[k] = true;
        _match = Match(table);
        _updateParameters = UpdateParameters(table, _isKey);
    }

    public TableSchema Table => _table;

    /// <summary>Rows added minus rows removed since the count was last taken.</summary>
    public long RowDelta { get; set; }

    /// <summary>Adds a row; false when its key is there already.</summary>
    public bool Insert(ref ReadOnlySpan<byte> row)
    {
        var statement = _insert ??= _database.Prepare(InsertSql(1));
        for (var i = 1; i <= _table.Columns.Length; i++) statement.Bind(i, Cell.Read(ref row));
        if (!statement.TryRun()) return false;
        RowDelta++;
        return true;
    }

    /// <summary>
    /// Adds rows, many of them by one statement: starting and ending a statement costs as much as two columns. Those before a row that
    /// could not be added stay: the transaction is worth nothing then.
    /// </summary>
    /// <param name="rows">The cells of one row after another, in memory that stays where it is.</param>
    /// <param name="isHere">Which of them to add; null for all.</param>
    /// <returns>How many were added; -1 when a key was there already.</returns>
    public long InsertAll(ReadOnlySpan<byte> rows, RowFilter? isHere)
    {
        var columns = _table.Columns.Length;
        var together = columns == 0 ? 1 : Math.Clamp(ParametersMax / columns, 1, RowsTogetherMax);
        if (together > 1) _insertMany ??= _database.Prepare(InsertSql(together));
        Span<int> starts = stackalloc int[RowsTogetherMax];
        var rest = rows;
        var (added, bound) = (0L, 0);
        while (!rest.IsEmpty)
        {
            var start = rows.Length - rest.Length;
            if (isHere is not null)
            {
                var size = RowCells.SizeOf(rest, columns);
                if (!isHere(rest[..size]))
                {
                    rest = rest[size..];
                    continue;
                }
            }
            if (together == 1)
            {
                if (!Insert(ref rest)) return -1;
                added++;
                continue;
            }
            for (var i = 1; i <= columns; i++) _insertMany!.Bind(bound * columns + i, Cell.Read(ref rest));
            starts[bound++] = start;
            if (bound < together) continue;
            if (!_insertMany!.TryRun()) return -1;
            RowDelta += bound;
            added += bound;
            bound = 0;
        }
        foreach (var start in starts[..bound])
        {
            rest = rows[start..];
            if (!Insert(ref rest)) return -1;
        }
        return added + bound;
    }

    /// <summary>Updates by the key in the row itself.</summary>
    public int Update(ReadOnlySpan<byte> row)
    {
        var full = _fullUpdate ??= _database.Prepare(UpdateSql("", withKey: false));
        if (!TryBind(full, row, _updateParameters)) return UpdateSent(row);
        full.Run();
        return (int)_database.Changes;
    }

    /// <summary>Updates the columns that were sent.</summary>
    private int UpdateSent(ReadOnlySpan<byte> row)
    {
        var shape = ShapeOf(row);
        var statement = Cached("u" + shape, () => UpdateSql(shape, withKey: false));
        var index = 1;
        var rest = row;
        for (var i = 0; i < _table.Columns.Length; i++)
        {
            var cell = Cell.Read(ref rest);
            if (!_isKey[i] && cell.Kind != CellKind.Unchanged) statement.Bind(index++, cell);
        }
        foreach (var ordinal in _table.Key)
        {
            rest = row[RowCells.SizeOf(row, ordinal)..];
            statement.Bind(index++, Cell.Read(ref rest));
        }
        statement.Run();
        return (int)_database.Changes;
    }

    public int Replace(ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row)
    {
        var shape = ShapeOf(row);
        var statement = shape.Length > 0
            ? Cached("r" + shape, () => UpdateSql(shape, withKey: true))
            : _fullReplace ??= _database.Prepare(UpdateSql(shape, withKey: true));
        var index = 1;
        for (var i = 0; i < _table.Columns.Length; i++)
        {
            var cell = Cell.Read(ref row);
            if (cell.Kind != CellKind.Unchanged) statement.Bind(index++, cell);
        }
        BindIdentity(statement, index, identity);
        statement.Run();
        return (int)_database.Changes;
    }

    public int Delete(ReadOnlySpan<byte> identity)
    {
        var statement = _delete ??= _database.Prepare($"DELETE FROM {SqlName.Quote(_table.ReplicaName)} WHERE {_match}");
        BindIdentity(statement, 1, identity);
        statement.Run();
        var count = (int)_database.Changes;
        RowDelta -= count;
        return count;
    }

    public bool TryRead(ReadOnlySpan<byte> key, ChangeBuffer target)
    {
        var statement = _read ??= _database.Prepare(
            $"SELECT {SqlName.List(_table.Columns.Select(c => c.Name))} FROM {SqlName.Quote(_table.ReplicaName)} WHERE {_match}");
        BindIdentity(statement, 1, key);
        if (!statement.Step()) return false;
        for (var i = 0; i < _table.Columns.Length; i++) statement.AppendCell(i, target);
        statement.Reset();
        return true;
    }

    /// <summary>Makes every statement ready again after one could not take a value.</summary>
    public void Reset()
    {
        foreach (var statement in _updates.Values) statement.Reset();
        _insert?.Reset();
        _insertMany?.Reset();
        _fullUpdate?.Reset();
        _fullReplace?.Reset();
    }

    public void Dispose()
    {
        foreach (var statement in _updates.Values) statement.Dispose();
        _insert?.Dispose();
        _insertMany?.Dispose();
        _delete?.Dispose();
        _fullUpdate?.Dispose();
        _fullReplace?.Dispose();
        _read?.Dispose();
    }

    private static void BindIdentity(SqliteStatement statement, int index, ReadOnlySpan<byte> identity)
    {
        while (!identity.IsEmpty) statement.Bind(index++, Cell.Read(ref identity));
    }

    /// <summary>Binds a row, one parameter a column; false when a value was not sent.</summary>
    private static bool TryBind(SqliteStatement statement, ReadOnlySpan<byte> row, int[] parameters)
    {
        foreach (var parameter in parameters)
        {
            var cell = Cell.Read(ref row);
            if (cell.Kind == CellKind.Unchanged) return false;
            statement.Bind(parameter, cell);
        }
        return true;
    }

    /// <summary>For each column its parameter in an update of all: first what is set, in column order, then the key.</summary>
    private static int[] UpdateParameters(TableSchema table, bool[] isKey)
    {
        var parameters = new int[table.Columns.Length];
        var next = 1;
        for (var i = 0; i < parameters.Length; i++)
            if (!isKey[i]) parameters[i] = next++;
        foreach (var ordinal in table.Key) parameters[ordinal] = next++;
        return parameters;
    }

    /// <summary>Tells the shape of a row by which values were not sent, one character a column; empty when all were.</summary>
    private string ShapeOf(ReadOnlySpan<byte> row)
    {
        var rest = row;
        while (!rest.IsEmpty)
        {
            if (Cell.Read(ref rest).Kind != CellKind.Unchanged) continue;
            return string.Create(_table.Columns.Length, row.ToArray(), static (characters, cells) =>
            {
                ReadOnlySpan<byte> left = cells;
                for (var i = 0; i < characters.Length; i++) characters[i] = Cell.Read(ref left).Kind == CellKind.Unchanged ? '-' : '+';
            });
        }
        return "";
    }

    private SqliteStatement Cached(string key, Func<string> sql)
    {
        if (!_updates.TryGetValue(key, out var statement)) _updates.Add(key, statement = _database.Prepare(sql()));
        return statement;
    }

    /// <summary>OR FAIL: SQLite need not be able to take back the part of one statement that went well.</summary>
    private string InsertSql(int rows)
    {
        var row = $"({string.Join(", ", Enumerable.Repeat("?", _table.Columns.Length))})";
        return _table.Columns.IsEmpty
            ? $"INSERT INTO {SqlName.Quote(_table.ReplicaName)} DEFAULT VALUES"
            : $"INSERT OR FAIL INTO {SqlName.Quote(_table.ReplicaName)} ({SqlName.List(_table.Columns.Select(c => c.Name))}) "
                + $"VALUES {string.Join(", ", Enumerable.Repeat(row, rows))}";
    }

    private string UpdateSql(string shape, bool withKey)
    {
        var sql = new StringBuilder("UPDATE ").Append(SqlName.Quote(_table.ReplicaName)).Append(" SET ");
        var first = true;
        for (var i = 0; i < _table.Columns.Length; i++)
        {
            if ((!withKey && _isKey[i]) || (shape.Length > 0 && shape[i] == '-')) continue;
            sql.Append(first ? "" : ", ").Append(SqlName.Quote(_table.Columns[i].Name)).Append(" = ?");
            first = false;
        }
        if (first) // nothing but the key was sent: the row must still be there
        {
            var name = SqlName.Quote(_table.Columns[_table.HasKey ? _table.Key[0] : 0].Name);
            sql.Append(name).Append(" = ").Append(name);
        }
        return sql.Append(" WHERE ").Append(_match).ToString();
    }

    private static string Match(TableSchema table)
    {
        if (table.HasKey) return string.Join(" AND ", table.Key.Select(k => $"{ReplicaTable.KeyColumn(table.Columns[k])} = ?"));
        var rowId = ReplicaTable.RowIdName(table) ?? throw new DbSyncException(
            ErrorCodes.NameCollision,
            $"{table} has no key, and columns named rowid, oid and _rowid_ hide the row number that stands in for one.",
            "Add a primary key, or rename one of these columns.");
        var all = string.Join(" AND ", table.Columns.Select(c => $"{SqlName.Quote(c.Name)} COLLATE BINARY IS ?"));
        return $"{rowId} = (SELECT {rowId} FROM {SqlName.Quote(table.ReplicaName)} WHERE {all} LIMIT 1)";
    }
}
