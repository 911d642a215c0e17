using System.Collections.Immutable;

namespace DbSync.Postgres.Types;

/// <summary>A row of <c>pg_type</c>, as far as it decides how values are stored.</summary>
/// <param name="Oid">The type.</param>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name (<c>typname</c>).</param>
/// <param name="Kind"><c>typtype</c>: b base, c composite, d domain, e enum, p pseudo, r range, m multirange.</param>
/// <param name="Category"><c>typcategory</c>.</param>
/// <param name="BaseType">What a domain is over, which may be a domain again; else 0.</param>
/// <param name="ElementType">The element type of a true array; else 0 (int2vector and point have a <c>typelem</c> and are none).</param>
/// <param name="RangeSubtype">What a range or multirange is over; else 0.</param>
/// <param name="EnumLabels">An enum's labels in declaration order; else empty.</param>
/// <param name="HasBinarySend">Whether the type has a send function.</param>
internal sealed record PgType(
    uint Oid,
    string Schema,
    string Name,
    char Kind,
    char Category,
    uint BaseType,
    uint ElementType,
    uint RangeSubtype,
    ImmutableArray<string> EnumLabels,
    bool HasBinarySend)
{
    public const string SystemSchema = "pg_catalog";

    /// <summary>A type that the catalog no longer has: its values in the log are stored as their text.</summary>
    public static PgType Dropped(uint oid) => new(oid, "", "-", 'b', 'X', 0, 0, 0, [], false);

    /// <summary>
    /// The collation that orders an enum's labels as declared: <c>PG_ENUM_mood</c>, <c>PG_ENUM_sales.mood</c>. SQLite ignores the case of
    /// collation names and PostgreSQL doesn't ignore that of type names, so an upper-case letter is written <c>^x</c>.
    /// </summary>
    public string EnumCollation
    {
        get
        {
            var name = Schema == "public" ? Name : $"{Schema}.{Name}";
            return "PG_ENUM_" + (name.Any(char.IsAsciiLetterUpper)
                ? string.Concat(name.Select(c => char.IsAsciiLetterUpper(c) ? $"^{char.ToLowerInvariant(c)}" : c.ToString()))
                : name);
        }
    }
}
