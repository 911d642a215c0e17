namespace DbSync;

/// <summary>One published column of a table, as the replica stores it.</summary>
/// <param name="Name">The column's name on the primary, kept as it is.</param>
/// <param name="TypeOid">The column's type (<c>pg_type.oid</c>).</param>
/// <param name="TypeModifier">The type modifier, or -1.</param>
/// <param name="TypeName">The type as <c>format_type</c> prints it; for people and for the metadata, never parsed.</param>
/// <param name="Storage">What the values are stored as.</param>
/// <param name="Collation">The SQLite collation the column is declared with, or null for BINARY.</param>
/// <param name="PrimaryOnlyReason">Why the EF plug-in must not read this column from the replica (its values are stored all the same),
/// or null when it may.</param>
/// <param name="OrdersAlike">True when the stored values sort byte for byte (numbers by value) as PostgreSQL sorts them, so that key
/// ranges can be judged here.</param>
internal sealed record ColumnSchema(
    string Name,
    uint TypeOid,
    int TypeModifier,
    string TypeName,
    StorageClass Storage,
    string? Collation = null,
    string? PrimaryOnlyReason = null,
    bool OrdersAlike = false)
{
    /// <summary>True when both are stored the same way. How a type's name prints depends on who looks.</summary>
    public bool StoresLike(ColumnSchema other) => this == other || this with { TypeName = other.TypeName } == other;

    /// <summary>True when both types have one name, with its schema or without.</summary>
    public bool IsNamedLike(ColumnSchema other) =>
        TypeName == other.TypeName || TypeName.EndsWith($".{other.TypeName}", StringComparison.Ordinal) || other.TypeName.EndsWith($".{TypeName}", StringComparison.Ordinal);
}

/// <summary>What tells a column from one of the same name that took its place.</summary>
/// <param name="Number">Its number in the table (<c>pg_attribute.attnum</c>), which no other column ever gets.</param>
/// <param name="Stamp">The transaction that described it last (<c>pg_attribute.xmin</c>): another one after each change of the column.</param>
internal readonly record struct ColumnMark(short Number, uint Stamp);
