using DbSync.Sqlite.Collations;

namespace DbSync.Sqlite;

/// <summary>The orders behind the names that replica columns are declared with.</summary>
internal static class ReplicaCollations
{
    /// <summary>Those that need nothing but their name. RTRIM is SQLite's own.</summary>
    public static IReadOnlyList<(string Name, CollationOrder Order)> BuiltIn { get; } =
    [
        (DecimalCollation.Name, DecimalCollation.Compare),
        (CaseInsensitiveCollation.Name, CaseInsensitiveCollation.Compare),
    ];

    /// <summary>An enum's labels in declaration order.</summary>
    public static CollationOrder Enum(IEnumerable<string> labels) => new EnumCollation(labels).Compare;
}
