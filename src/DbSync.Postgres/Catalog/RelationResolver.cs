using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Completes relation messages from the schema log, where that has every change and describes the same table, or else from the catalog. When the
/// catalog has moved on since the message was written, the message counts: it describes the rows that follow it.
/// </summary>
internal sealed class RelationResolver(Primary primary, TableCatalog catalog, TypeCatalog types, string publication) : IRelationResolver
{
    /// <summary>How often a commit that the catalog does not show yet is looked for again, a hundredth of a second each.</summary>
    private const int LooksMax = 1000;

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

    public Relation Resolve(RelationMessage message, uint xid)
    {
        var logged = _logged.TryGetValue(message.Oid, out var entry) && Describes(entry.Table, message) ? entry : null;
        if (logged is { Flags: var flags } && !flags.HasFlag(AlterationFlags.Inferred)) return Known(logged.Table, logged.Codecs!);

        // The stream's own thread; a table is announced once, and again when it or its place in the publication has changed.
        var table = primary.Block(connection => Resolve(connection, message, xid));
        if (logged is not null && IsStill(logged.Table, table)) return Known(logged.Table, logged.Codecs!);
        if (_known.TryGetValue(message.Oid, out var known) && Describes(known, message) && IsStill(known, table)) table = known;
        return Known(table, catalog.CodecsOf(table));
    }

    private Relation Known(TableSchema table, TypeCodec[] codecs)
    {
        _known[table.Id.Oid] = table;
        return new Relation(table, codecs);
    }

    /// <summary>True when the table that the catalog has now is as it was; else something has happened that nobody logged.</summary>
    private static bool IsStill(TableSchema before, TableSchema now) => before.StoresLike(now) && !now.IsPublishedAnewSince(before);

    private TableSchema Resolve(NpgsqlConnection connection, RelationMessage message, uint xid)
    {
        AwaitVisible(connection, xid);
        var current = catalog.Find(connection, publication, message);
        if (current is not null && Describes(current, message)) return current;
        types.Load(connection, message.Columns.Select(c => c.TypeOid).Where(t => !types.Contains(t)).Distinct().ToList());
        return catalog.Build(message, current ?? _known.GetValueOrDefault(message.Oid));
    }

    /// <summary>
    /// A commit is in the log before anybody sees it, and while it waits for a synchronous standby for as long as that takes. Not for ever: the
    /// standby may be this very stream.
    /// </summary>
    private static void AwaitVisible(NpgsqlConnection connection, uint xid)
    {
        for (var looks = 0; looks < LooksMax; looks++)
        {
            var snapshot = Primary.SnapshotOf(connection);
            if (snapshot.Sees(snapshot.Widen(xid))) return;
            using var pause = Primary.Command(connection, "SELECT pg_catalog.pg_sleep(0.01)");
            pause.ExecuteNonQuery();
        }
    }

    private static bool Describes(TableSchema table, RelationMessage message) =>
        table.Schema == message.Schema && table.Name == message.Name && table.Identity == message.Identity
        && table.Columns.Length == message.Columns.Count
        && table.Columns.Zip(message.Columns).All(
            p => p.First.Name == p.Second.Name && p.First.TypeOid == p.Second.TypeOid && p.First.TypeModifier == p.Second.TypeModifier)
        && (message.Identity == ReplicaIdentity.Full
            || message.Columns.Select((c, i) => (c, i)).Where(x => x.c.IsIdentity).Select(x => x.i).Order().SequenceEqual(table.Key.Order()));
}
