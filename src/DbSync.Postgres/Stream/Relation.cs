using DbSync.Postgres.Types;

namespace DbSync.Postgres;

/// <summary>A table as the stream announced it: its shape in the replica and the codec of each column.</summary>
internal sealed class Relation(TableSchema table, TypeCodec[] codecs)
{
    public TableSchema Table { get; } = table;

    public TypeCodec[] Codecs { get; } = codecs;

    /// <summary>For each column whether it belongs to the key.</summary>
    public bool[] IsKey { get; } = [.. Enumerable.Range(0, table.Columns.Length).Select(i => table.Key.Contains(i))];
}

/// <summary>A column as a relation message announces it.</summary>
internal readonly record struct RelationColumn(string Name, uint TypeOid, int TypeModifier, bool IsIdentity);

/// <summary>What a relation message says. Source: PostgreSQL manual, "Logical Replication Message Formats".</summary>
internal sealed record RelationMessage(uint Oid, string Schema, string Name, ReplicaIdentity Identity, IReadOnlyList<RelationColumn> Columns);

/// <summary>Completes what a relation message says with what only the catalog knows.</summary>
internal interface IRelationResolver
{
    Relation Resolve(RelationMessage message);
}
