namespace DbSync.EntityFrameworkCore.Migrating;

/// <summary>The annotations that carry how tables are replicated: on entities and properties by property, on tables and in migrations by column.</summary>
internal static class SyncAnnotations
{
    /// <summary>The properties, or columns, that a table is sharded by: <c>string[]</c>, in key order.</summary>
    public const string ShardKey = "DbSync:ShardKey";

    /// <summary><see cref="Reference"/> or <see cref="None"/>.</summary>
    public const string Placement = "DbSync:Placement";

    /// <summary>On a property <c>true</c>; on a table the columns that stay on the primary: <c>string[]</c>.</summary>
    public const string NotReplicated = "DbSync:NotReplicated";

    public const string Reference = "Reference";

    public const string None = "NotReplicated";
}
