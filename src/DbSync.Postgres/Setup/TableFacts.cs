namespace DbSync.Postgres;

/// <summary>What the primary's catalog says of a table, as far as it decides whether the table can be published.</summary>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
/// <param name="IsPermanent">Neither temporary nor unlogged, its partitions included.</param>
/// <param name="OfExtension">Whether an extension owns it.</param>
/// <param name="HasForeignPartition">Whether a partition lies in a foreign server.</param>
/// <param name="IsOwned">Whether the connected role owns it, itself or through a role it is a member of.</param>
/// <param name="Identity">Its replica identity.</param>
/// <param name="HasPrimaryKey">A valid primary key that is checked at once.</param>
/// <param name="HasIdentityIndex">The index that REPLICA IDENTITY USING INDEX names is there.</param>
/// <param name="UniqueIndex">A unique index that could be the identity; null when there is none.</param>
/// <param name="HasGeneratedKey">Whether the identity holds a generated column.</param>
/// <param name="UnlikePartitions">Partitions (quoted) whose replica identity is not the table's.</param>
/// <param name="Columns">The names of its columns.</param>
/// <param name="HasChildren">Whether other tables inherit from it.</param>
internal sealed record TableFacts(
    string Schema,
    string Name,
    bool IsPermanent,
    bool OfExtension,
    bool HasForeignPartition,
    bool IsOwned,
    ReplicaIdentity Identity,
    bool HasPrimaryKey,
    bool HasIdentityIndex,
    string? UniqueIndex,
    bool HasGeneratedKey,
    IReadOnlyList<string> UnlikePartitions,
    IReadOnlyList<string> Columns,
    bool HasChildren = false)
{
    public string ReplicaName => TableSchema.ReplicaNameOf(Schema, Name);

    public string Quoted => $"{PgName.Quote(Schema)}.{PgName.Quote(Name)}";

    public bool HasUsableIdentity => Identity switch
    {
        ReplicaIdentity.Default => HasPrimaryKey,
        ReplicaIdentity.Index => HasIdentityIndex,
        ReplicaIdentity.Full => true,
        _ => false,
    };
}
