using System.Text.Json.Serialization;

namespace DbSync;

/// <summary>A table of the primary, by its object identifier (<c>pg_class.oid</c>): it survives renames.</summary>
/// <param name="Oid">The identifier.</param>
/// <param name="IsShadow">True for a second copy of the table, which is made beside the first and takes its place.</param>
internal readonly record struct TableId(uint Oid, bool IsShadow = false)
{
    /// <summary>What a shard's own tables know it by: shadows have numbers above those of the primary.</summary>
    [JsonIgnore]
    public long Key => IsShadow ? Oid | 1L << 32 : Oid;

    /// <summary>The copy beside it.</summary>
    [JsonIgnore]
    public TableId Shadow => this with { IsShadow = true };

    /// <summary>The table whose place a shadow takes.</summary>
    [JsonIgnore]
    public TableId Original => this with { IsShadow = false };

    public override string ToString() => Oid.ToString();
}

/// <summary>A shard of a replica, by its name: a member of the consistent hash and one SQLite file.</summary>
internal readonly record struct ShardId(string Name)
{
    public override string ToString() => Name;
}
