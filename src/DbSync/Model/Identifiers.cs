namespace DbSync;

/// <summary>A table of the primary, by its object identifier (<c>pg_class.oid</c>): it survives renames.</summary>
internal readonly record struct TableId(uint Oid)
{
    public override string ToString() => Oid.ToString();
}

/// <summary>A shard of a replica, by its name: a member of the consistent hash and one SQLite file.</summary>
internal readonly record struct ShardId(string Name)
{
    public override string ToString() => Name;
}
