using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Completes relation messages from the schema log, where it describes the same table, or else from the catalog. When the catalog has moved on since the message was written, the message counts: it
/// describes the rows that follow it.
/// </summary>
internal sealed class RelationResolver(Primary primary, TableCatalog catalog, TypeCatalog types, string publication) : IRelationResolver
{
    private readonly Dictionary<uint, TableSchema> _known = [];
    private readonly Dictionary<uint, SchemaEntry> _logged = [];
    private readonly SchemaLogReader _log = new(publication, types);

    public SchemaEntry? ReadLog(string change, uint relation, string command, string? definition)
    {
        var entry = _log.Read(change, relation, command, definition);
        if (entry is { Kind: ChangeKind.Alter }) _logged[relation] = entry;
        else if (entry is { Kind: ChangeKind.Drop }) _logged.Remove(relation);
        return entry;
    }

    public Relation Resolve(RelationMessage message)
    {
        if (_logged.TryGetValue(message.Oid, out var logged) && Describes(logged.Table, message))
        {
            _known[message.Oid] = logged.Table;
            return new Relation(logged.Table, logged.Codecs!);
        }

        // The stream's own thread; a table is announced once, and again when it or its place in the publication has changed.
        var table = primary.Block(connection => Resolve(connection, message));
        if (_known.TryGetValue(message.Oid, out var known) && Describes(known, message) && known.StoresLike(table) && !table.IsPublishedAnewSince(known)) table = known;
        _known[message.Oid] = table;
        return new Relation(table, catalog.CodecsOf(table));
    }

    private TableSchema Resolve(NpgsqlConnection connection, RelationMessage message)
    {
        var current = catalog.Find(connection, publication, message);
        if (current is not null && Describes(current, message)) return current;
        types.Load(connection, message.Columns.Select(c => c.TypeOid).Where(t => !types.Contains(t)).Distinct().ToList());
        return catalog.Build(message, current ?? _known.GetValueOrDefault(message.Oid));
    }

    private static bool Describes(TableSchema table, RelationMessage message) =>
        table.Schema == message.Schema && table.Name == message.Name && table.Identity == message.Identity
        && table.Columns.Length == message.Columns.Count
        && table.Columns.Zip(message.Columns).All(
            p => p.First.Name == p.Second.Name && p.First.TypeOid == p.Second.TypeOid && p.First.TypeModifier == p.Second.TypeModifier)
        && (message.Identity == ReplicaIdentity.Full
            || message.Columns.Select((c, i) => (c, i)).Where(x => x.c.IsIdentity).Select(x => x.i).Order().SequenceEqual(table.Key.Order()));
}
