using System.Collections.Immutable;

namespace DbSync;

/// <summary>How the primary identifies the old row of an update or delete (<c>pg_class.relreplident</c>).</summary>
internal enum ReplicaIdentity : byte
{
    Default = (byte)'d',
    Nothing = (byte)'n',
    Full = (byte)'f',
    Index = (byte)'i',
}

/// <summary>An index of the primary that the replica has too. Uniqueness is the primary's business.</summary>
/// <param name="Name">The index's name on the primary.</param>
/// <param name="Columns">Ordinals into <see cref="TableSchema.Columns"/>, in index order.</param>
/// <param name="Descending">For each of <paramref name="Columns"/>, whether the primary's index is descending.</param>
internal sealed record IndexSchema(string Name, ImmutableArray<int> Columns, ImmutableArray<bool> Descending)
{
    public bool IsLike(IndexSchema other) => Name == other.Name && Columns.SequenceEqual(other.Columns) && Descending.SequenceEqual(other.Descending);
}

/// <summary>An enum type of the primary, as a collation: its labels sort in declaration order.</summary>
internal sealed record EnumSchema(string Collation, ImmutableArray<string> Labels);

/// <summary>A published table: the columns that the stream carries, in the stream's order, and the key that identifies a row.</summary>
/// <param name="Id">The table on the primary.</param>
/// <param name="Schema">Its schema (namespace) on the primary.</param>
/// <param name="Name">Its name on the primary.</param>
/// <param name="Identity">Its replica identity.</param>
/// <param name="Columns">The published columns.</param>
/// <param name="Key">Ordinals of the key columns in key order; empty for a table without a key, whose rows are a multiset.</param>
/// <param name="Indexes">The indexes to build on the replica.</param>
/// <param name="Enums">The enum types that the columns' collations name.</param>
/// <param name="IsPartitioned">True for a table whose rows are in its partitions and travel under its name.</param>
/// <param name="HasChildren">True when other tables inherit from it: the primary answers queries on it with their rows as well, and here it has only its own.</param>
/// <param name="Entry">The publication's entry for the table (<c>pg_publication_rel.oid</c>); 0 when not known. A new one each time it is added.</param>
/// <param name="Marks">What tells each of the columns from one of the same name that took its place; null when not known.</param>
/// <param name="Partitions">The tables that hold its rows when it is partitioned; null when not known.</param>
/// <param name="Storage">The file of its rows on the primary (<c>pg_class.relfilenode</c>), another one after each time they were written anew; 0 when not known.</param>
internal sealed record TableSchema(
    TableId Id,
    string Schema,
    string Name,
    ReplicaIdentity Identity,
    ImmutableArray<ColumnSchema> Columns,
    ImmutableArray<int> Key,
    ImmutableArray<IndexSchema> Indexes,
    ImmutableArray<EnumSchema> Enums,
    uint Entry = 0,
    bool IsPartitioned = false,
    bool HasChildren = false,
    ImmutableArray<ColumnMark>? Marks = null,
    ImmutableArray<uint>? Partitions = null,
    uint Storage = 0)
{
    /// <summary>The schema that holds DbSync's own tables on the primary.</summary>
    public const string ControlSchemaName = "dbsync";

    /// <summary>The table's name in a shard file: <c>schema.table</c> as one identifier, <c>public</c> left out.</summary>
    public string ReplicaName => Id.IsShadow ? $"{ControlSchemaName}.shadow.{Id}" : ReplicaNameOf(Schema, Name);

    public static string ReplicaNameOf(string schema, string name) => schema == "public" ? name : $"{schema}.{name}";

    public bool HasKey => !Key.IsEmpty;

    /// <summary>True for DbSync's own tables, which travel with the change log like any other.</summary>
    public bool IsControl => Schema == ControlSchemaName;

    /// <summary>True when both would store the same rows the same way: what decides whether a table has to be copied again.</summary>
    public bool StoresLike(TableSchema other) =>
        Schema == other.Schema && Name == other.Name && HasChildren == other.HasChildren && Key.SequenceEqual(other.Key)
        && Columns.Length == other.Columns.Length && Columns.Zip(other.Columns).All(c => c.First.StoresLike(c.Second))
        && (Marks is not { } mine || other.Marks is not { } others || mine.Select(m => m.Number).SequenceEqual(others.Select(m => m.Number)));

    /// <summary>True when nothing at all differs.</summary>
    public bool IsDescribedLike(TableSchema other) =>
        StoresLike(other) && Columns.Zip(other.Columns).All(c => c.First.IsNamedLike(c.Second)) && (Identity, Entry, IsPartitioned) == (other.Identity, other.Entry, other.IsPartitioned)
        && Indexes.Length == other.Indexes.Length && Indexes.Zip(other.Indexes).All(i => i.First.IsLike(i.Second))
        && Enums.Length == other.Enums.Length && Enums.Zip(other.Enums).All(e => e.First.Collation == e.Second.Collation && e.First.Labels.SequenceEqual(e.Second.Labels))
        && Marks is { } marks && other.Marks is { } others && marks.SequenceEqual(others)
        && (Partitions ?? []).SequenceEqual(other.Partitions ?? []);

    /// <summary>
    /// True when the publication has left the table out for a while since <paramref name="earlier"/> was read: what happened then is in no log.
    /// </summary>
    public bool IsPublishedAnewSince(TableSchema earlier) => Entry != 0 && earlier.Entry != 0 && Entry != earlier.Entry;

    public override string ToString() => ReplicaNameOf(Schema, Name);
}
