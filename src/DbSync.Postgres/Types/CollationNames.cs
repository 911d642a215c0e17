namespace DbSync.Postgres.Types;

/// <summary>The SQLite collations that columns are declared with; DbSync.Sqlite registers functions of the same names.</summary>
internal static class CollationNames
{
    /// <summary>EF Core's own name for the order of decimals kept as text.</summary>
    public const string Decimal = "EF_DECIMAL";

    public const string CaseInsensitive = "PG_CITEXT";

    /// <summary>Built into SQLite: trailing blanks don't count, as PostgreSQL compares char(n).</summary>
    public const string TrailingBlanks = "RTRIM";
}
