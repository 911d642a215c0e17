using System.Globalization;
using System.Text;

namespace DbSync.Sqlite;

/// <summary>Turns a replica table into another shape, rows and all.</summary>
internal sealed class TableReshaper(SqliteDatabase database, TableChange change)
{
    private const string RebuiltName = "dbsync.rebuilt";

    /// <summary>Puts the new texts of enum labels in place, while the indexes over them are away: their order is about to change.</summary>
    public void Relabel()
    {
        var columns = change.Dropped.Concat(change.Relabels.Select(r => change.From.Columns[change.Origins[r.Column]].Name)).ToHashSet(StringComparer.Ordinal);
        TableIndexes.Drop(database, change.From.ReplicaName, index => index.Columns.Any(c => columns.Contains(c.Name)));
        foreach (var label in change.Relabels)
        {
            var column = SqlName.Quote(change.From.Columns[change.Origins[label.Column]].Name);
            using var update = database.Prepare($"UPDATE {SqlName.Quote(change.From.ReplicaName)} SET {column} = ? WHERE {column} COLLATE BINARY = ?");
            update.Bind(1, label.To).Bind(2, label.From).Run();
        }
    }

    public void Reshape(ReadOnlySpan<byte> values)
    {
        if (change.NeedsRebuild) Rebuild(values);
        else
        {
            RenameTable();
            RenameColumns();
            AddColumns(values);
        }
        TableIndexes.Match(database, change.To);
    }

    private string Table => SqlName.Quote(change.To.ReplicaName);

    private void RenameTable()
    {
        var (before, now) = (change.From.ReplicaName, change.To.ReplicaName);
        if (before == now) return;
        if (string.Equals(before, now, StringComparison.OrdinalIgnoreCase)) // to SQLite the same name, which is taken
        {
            database.Execute($"ALTER TABLE {SqlName.Quote(before)} RENAME TO {SqlName.Quote(RebuiltName)}");
            before = RebuiltName;
        }
        database.Execute($"ALTER TABLE {SqlName.Quote(before)} RENAME TO {SqlName.Quote(now)}");
    }

    /// <summary>In two steps, with what is dropped gone in between: columns may change names, and take that of one that goes.</summary>
    private void RenameColumns()
    {
        var renamed = change.Renamed.ToList();
        var isTaken = renamed.Exists(r => change.From.Columns.Any(c => string.Equals(c.Name, r.To, StringComparison.OrdinalIgnoreCase)));
        if (isTaken)
        {
            for (var i = 0; i < renamed.Count; i++)
            {
                var passing = string.Create(CultureInfo.InvariantCulture, $"dbsync.passing {i}");
                Alter($"RENAME COLUMN {SqlName.Quote(renamed[i].From)} TO {SqlName.Quote(passing)}");
                renamed[i] = (passing, renamed[i].To);
            }
        }
        foreach (var column in change.Dropped) Alter($"DROP COLUMN {SqlName.Quote(column)}");
        foreach (var (before, now) in renamed) Alter($"RENAME COLUMN {SqlName.Quote(before)} TO {SqlName.Quote(now)}");
    }

    private void AddColumns(ReadOnlySpan<byte> values)
    {
        for (var i = 0; i < change.To.Columns.Length; i++)
        {
            var value = Cell.Read(ref values);
            if (change.Origins[i] >= 0) continue;
            var column = change.To.Columns[i];
            Alter($"ADD COLUMN {ReplicaTable.ColumnSql(column)}{(LiteralOf(value) is { } literal ? $" DEFAULT {literal}" : "")}");
            if (value.Kind != CellKind.Real) continue;
            using var fill = database.Prepare($"UPDATE {Table} SET {SqlName.Quote(column.Name)} = ?"); // no literal is sure to be the same number
            fill.Bind(1, value);
            fill.Run();
        }
    }

    /// <summary>Another key or collation: SQLite can only write such a table anew.</summary>
    private void Rebuild(ReadOnlySpan<byte> values)
    {
        database.Execute(ReplicaTable.CreateSql(change.To, RebuiltName));
        var sources = new List<string>();
        var given = new List<byte[]>();
        for (var i = 0; i < change.To.Columns.Length; i++)
        {
            var cell = values[..Cell.SizeOf(values)];
            values = values[cell.Length..];
            if (change.Origins[i] >= 0) sources.Add(SqlName.Quote(change.From.Columns[change.Origins[i]].Name));
            else
            {
                given.Add(cell.ToArray());
                sources.Add("?");
            }
        }
        using (var copy = database.Prepare(
            $"INSERT INTO {SqlName.Quote(RebuiltName)} ({SqlName.List(change.To.Columns.Select(c => c.Name))}) SELECT {string.Join(", ", sources)} FROM {SqlName.Quote(change.From.ReplicaName)}"))
        {
            var pinned = new ChangeBuffer(given.Sum(g => g.Length) + 16);
            foreach (var cell in given) pinned.Append(cell);
            var rest = pinned.Written;
            for (var i = 1; i <= given.Count; i++) copy.Bind(i, Cell.Read(ref rest));
            copy.Run();
        }
        database.Execute($"DROP TABLE {SqlName.Quote(change.From.ReplicaName)}");
        database.Execute($"ALTER TABLE {SqlName.Quote(RebuiltName)} RENAME TO {Table}");
    }

    private void Alter(string what) => database.Execute($"ALTER TABLE {Table} {what}");

    private static string? LiteralOf(Cell value) => value.Kind switch
    {
        CellKind.Integer => value.Integer.ToString(CultureInfo.InvariantCulture),
        CellKind.Text => $"'{Encoding.UTF8.GetString(value.Bytes).Replace("'", "''", StringComparison.Ordinal)}'",
        CellKind.Blob => $"x'{Convert.ToHexString(value.Bytes)}'",
        _ => null,
    };
}
