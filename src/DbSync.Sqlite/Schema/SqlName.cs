namespace DbSync.Sqlite;

/// <summary>The one place where an identifier becomes SQL.</summary>
internal static class SqlName
{
    public static string Quote(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    public static string List(IEnumerable<string> identifiers) => string.Join(", ", identifiers.Select(Quote));
}
