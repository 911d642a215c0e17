namespace DbSync.Postgres;

/// <summary>The one place where an identifier or a literal becomes PostgreSQL's SQL.</summary>
internal static class PgName
{
    public static string Quote(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    public static string Quote(TableSchema table) => $"{Quote(table.Schema)}.{Quote(table.Name)}";

    /// <summary>The rows that travel under a table's name: its own, or those of its partitions, but never its children's.</summary>
    public static string RowsOf(TableSchema table) => table.IsPartitioned ? Quote(table) : $"ONLY {Quote(table)}";

    public static string Literal(string value) =>
        value.Contains('\\', StringComparison.Ordinal)
            ? $" E'{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'"
            : $"'{value.Replace("'", "''", StringComparison.Ordinal)}'";
}
