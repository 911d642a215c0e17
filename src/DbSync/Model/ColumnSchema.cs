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
    bool OrdersAlike = false);
