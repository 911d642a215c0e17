using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Completes relation messages from the catalog. When the catalog has moved on since the message was written, the message counts: it
/// describes the rows that follow it.
/// </summary>
internal sealed class RelationResolver(Primary primary, TableCatalog catalog, TypeCatalog types, string publication) : IRelationResolver
{
    private readonly Dictionary<uint, TableSchema> _known = [];

    public Relation Resolve(RelationMessage message)
    {
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
