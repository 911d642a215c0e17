using System.Text;

namespace DbSync.Sqlite;

/// <summary>The SQL that creates a replica table. No NOT NULL, foreign key, check or default: the primary has checked all that.</summary>
internal static class ReplicaTable
{
    private const uint Int8 = 20, Int2 = 21, Int4 = 23;
    private static readonly string[] RowIdNames = ["rowid", "oid", "_rowid_"];

    /// <summary>True when SQLite's own row number is the key.</summary>
    public static bool HasIntegerKey(TableSchema table) =>
        table.Key.Length == 1 && table.Columns[table.Key[0]].TypeOid is Int2 or Int4 or Int8;

    /// <summary>A name of SQLite's row number that no column hides; null when all three are taken.</summary>
    public static string? RowIdName(TableSchema table) =>
        RowIdNames.FirstOrDefault(
            name => !table.Columns.Any(c => string.Equals(c.Name, name, StringComparison.OrdinalIgnoreCase)));

    /// <summary>
    /// A key column as SQL, compared by its bytes: the stream names a row by exactly the bytes that are stored, and what a collation takes for
    /// equal may be two rows on the primary.
    /// </summary>
    public static string KeyColumn(ColumnSchema column) => SqlName.Quote(column.Name) + (column.Collation is null ? "" : " COLLATE BINARY");

    /// <param name="table">The table.</param>
    /// <param name="name">Another name than its own for now.</param>
    public static string CreateSql(TableSchema table, string? name = null)
    {
        var sql = new StringBuilder("CREATE TABLE ").Append(SqlName.Quote(name ?? table.ReplicaName)).Append(" (");
        var integerKey = HasIntegerKey(table);
        for (var i = 0; i < table.Columns.Length; i++)
        {
            sql.Append(i == 0 ? "\n    " : ",\n    ").Append(ColumnSql(table.Columns[i]));
            if (integerKey && i == table.Key[0]) sql.Append(" PRIMARY KEY");
        }
        if (table.HasKey && !integerKey)
            sql.Append(",\n    PRIMARY KEY (").Append(string.Join(", ", table.Key.Select(k => KeyColumn(table.Columns[k])))).Append(')');
        return sql.Append(table.HasKey && !integerKey ? "\n) WITHOUT ROWID" : "\n)").ToString();
    }

    /// <summary>A column's name, type and collation.</summary>
    public static string ColumnSql(ColumnSchema column) =>
        SqlName.Quote(column.Name) + TypeOf(column) + (column.Collation is null ? "" : $" COLLATE {SqlName.Quote(column.Collation)}");

    /// <summary>Floats are declared without a type: under REAL affinity SQLite stores -0.0 as the integer 0 and loses the sign.</summary>
    private static string TypeOf(ColumnSchema column) => column.Storage switch
    {
        StorageClass.Integer => " INTEGER",
        StorageClass.Text => " TEXT",
        StorageClass.Blob => " BLOB",
        _ => "",
    };

    public static string CreateIndexSql(TableSchema table, IndexSchema index, string name)
    {
        var columns = index.Columns.Select((c, i) => SqlName.Quote(table.Columns[c].Name) + (index.Descending[i] ? " DESC" : ""));
        return $"CREATE INDEX {SqlName.Quote(name)} ON {SqlName.Quote(table.ReplicaName)} ({string.Join(", ", columns)})";
    }
}
