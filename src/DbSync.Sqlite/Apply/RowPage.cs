namespace DbSync.Sqlite;

/// <summary>The identities of some rows of a table, in the order of its key: for walking through a table that is being changed.</summary>
internal sealed class RowPage(SqliteDatabase database, TableSchema table)
{
    private readonly List<byte[]> _identities = [];

    /// <summary>The rows' identities, as changes name them.</summary>
    public IReadOnlyList<byte[]> Identities => _identities;

    /// <summary>Reads some rows.</summary>
    /// <param name="after">Where the page before ended; null for the first.</param>
    /// <param name="rowsMax">How many at most.</param>
    /// <returns>Where this page ends; null when it is the last.</returns>
    public byte[]? Read(byte[]? after, int rowsMax)
    {
        _identities.Clear();
        var order = table.HasKey ? [.. table.Key.Select(k => ReplicaTable.KeyColumn(table.Columns[k]))] : new[] { ReplicaTable.RowIdName(table)! };
        var marks = string.Join(", ", order.Select(_ => "?"));
        var names = string.Join(", ", order);
        var cells = table.HasKey ? names : $"{names}, {SqlName.List(table.Columns.Select(c => c.Name))}";
        var where = after is null ? "" : $" WHERE ({names}) > ({marks})";
        using var statement = database.Prepare($"SELECT {cells} FROM {SqlName.Quote(table.ReplicaName)}{where} ORDER BY {names} LIMIT ?");
        var index = 1;
        for (ReadOnlySpan<byte> rest = after; !rest.IsEmpty;) statement.Bind(index++, Cell.Read(ref rest));
        statement.Bind(index, (long)rowsMax);
        var (cursor, row) = (new ChangeBuffer(256), new ChangeBuffer(1024));
        while (statement.Step())
        {
            cursor.Clear();
            row.Clear();
            for (var i = 0; i < order.Length; i++) statement.AppendCell(i, cursor);
            for (var i = 1; !table.HasKey && i <= table.Columns.Length; i++) statement.AppendCell(i, row);
            _identities.Add((table.HasKey ? cursor : row).Written.ToArray());
        }
        return _identities.Count < rowsMax ? null : cursor.Written.ToArray();
    }
}
