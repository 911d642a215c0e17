using DbSync.Postgres.Types;

namespace DbSync.Postgres;

/// <summary>A table as the stream announced it: its shape in the replica and the codec of each column.</summary>
internal sealed class Relation(TableSchema table, TypeCodec[] codecs)
{
    public TableSchema Table { get; } = table;

    public TypeCodec[] Codecs { get; } = codecs;

    /// <summary>True when rows of both look the same in the stream: then it does not announce the table anew.</summary>
    public bool IsAnnouncedLike(TableSchema other) =>
        (Table.Schema, Table.Name, Table.Identity) == (other.Schema, other.Name, other.Identity) && Table.Key.Order().SequenceEqual(other.Key.Order())
        && Table.Columns.Select(c => (c.Name, c.TypeOid, c.TypeModifier)).SequenceEqual(other.Columns.Select(c => (c.Name, c.TypeOid, c.TypeModifier)));

    /// <summary>True for the table whose rows are schema changes.</summary>
    public bool IsSchemaLog { get; } = table is { IsControl: true, Name: SchemaLogReader.TableName };

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
    /// <param name="message">What the stream has announced.</param>
    /// <param name="xid">The transaction that it belongs to, which has committed.</param>
    Relation Resolve(RelationMessage message, uint xid);

    /// <summary>Reads a row of the schema log; null when it says nothing.</summary>
    SchemaEntry? ReadLog(string change, uint relation, string command, string? definition) => null;
}
