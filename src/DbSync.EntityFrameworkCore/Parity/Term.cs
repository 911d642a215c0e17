using System.Collections.Immutable;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>What is known of a scalar: the PostgreSQL type of the column it is or was computed from, and whether it still is that column.</summary>
/// <param name="PgType">The type; null for parameters, constants and computed values.</param>
/// <param name="IsColumn">True when it is a column itself, with its collation.</param>
/// <param name="Columns">The columns whose text it is made of.</param>
internal readonly record struct Term(string? PgType, bool IsColumn, ImmutableArray<(string Table, string Column, string PgType)> Columns)
{
    public static readonly Term Computed = new(null, false, []);

    /// <summary>True for types whose equality or order comes from their column's collation alone.</summary>
    public bool NeedsCollation => PgType is "citext" or "character" or Modeling.PgTypeName.Enum;

    public Term With(Term other) => new(PgType == other.PgType ? PgType : null, false, Columns.AddRange(other.Columns));
}
