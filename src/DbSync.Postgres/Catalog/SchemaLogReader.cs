using DbSync.Postgres.Types;

namespace DbSync.Postgres;

/// <summary>Turns a row of <c>dbsync.schema_log</c> into what it says of a publication's tables.</summary>
/// <param name="publication">The publication.</param>
/// <param name="known">The types that the process knows: it learns those that it has not met.</param>
internal sealed class SchemaLogReader(string publication, TypeCatalog known)
{
    public const string TableName = "schema_log";

    /// <exception cref="DbSyncException">DBS3001 when the row is none that the log's own functions can have written.</exception>
    public SchemaEntry? Read(string change, uint relation, string command, string? definition) => change switch
    {
        "table" or "seen" when definition is not null => Table(relation, TableDefinition.Parse(definition), Flags(change, command)),
        "rewrite" => new SchemaEntry(ChangeKind.Rewrite, Bare(relation)),
        "drop" => new SchemaEntry(ChangeKind.Drop, Bare(relation), IsGone: true),
        "index" when definition is not null => Index(TableDefinition.Parse<DroppedIndex>(definition)),
        "table" or "seen" => null, // it was dropped by the same command
        "unknown" => new SchemaEntry(ChangeKind.Look, Bare(relation)),
        _ => new SchemaEntry(ChangeKind.Look, Bare(relation)), // of a newer control schema
    };

    private static AlterationFlags Flags(string change, string command) =>
        (change == "seen" ? AlterationFlags.Inferred : AlterationFlags.None) | (command.StartsWith("CREATE", StringComparison.Ordinal) ? AlterationFlags.Created : AlterationFlags.None);

    private SchemaEntry Table(uint relation, TableDefinition definition, AlterationFlags flags)
    {
        if (!definition.Publications.TryGetValue(publication, out var published)) return new SchemaEntry(ChangeKind.Drop, Bare(relation));
        var types = new TypeCatalog();
        foreach (var type in definition.Types.Select(t => t.ToType()))
        {
            types.Add(type);
            if (!known.Contains(type.Oid)) known.Add(type);
        }
        var catalog = new TableCatalog(types);
        var columns = definition.ColumnsIn(published).ToList();
        var table = catalog.Build(relation, definition, published, columns);
        return new SchemaEntry(ChangeKind.Alter, table, flags, catalog.CodecsOf(table), [.. columns.Select(c => c.Missing)]);
    }

    private static SchemaEntry Index(DroppedIndex index) => new(ChangeKind.DropIndex, Bare(0) with { Schema = index.Schema, Name = index.Name });

    private static TableSchema Bare(uint relation) => new(new TableId(relation), "", "", ReplicaIdentity.Nothing, [], [], [], []);
}

/// <summary>What a row of the schema log says.</summary>
/// <param name="Kind">The change that it becomes.</param>
/// <param name="Table">The table as it is from there on, or only its id.</param>
/// <param name="Flags">How its shape is known.</param>
/// <param name="Codecs">The codecs of its columns.</param>
/// <param name="Missing">For each column what older rows hold, in PostgreSQL's text form.</param>
/// <param name="IsGone">For a table that leaves: whether it exists no longer.</param>
internal sealed record SchemaEntry(
    ChangeKind Kind, TableSchema Table, AlterationFlags Flags = AlterationFlags.None, TypeCodec[]? Codecs = null, string?[]? Missing = null, bool IsGone = false);
