namespace DbSync.Postgres;

/// <summary>The one place where names of the primary's tables and columns are quoted for SQL.</summary>
internal static class SqlIdentifier
{
    /// <summary>The name in double quotes, so that it stands for itself whatever it holds.</summary>
    public static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>A name with its schema.</summary>
    public static string Quote(string schema, string name) => $"{Quote(schema)}.{Quote(name)}";
}
