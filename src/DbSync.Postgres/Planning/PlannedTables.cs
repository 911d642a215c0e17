using DbSync.Postgres.Types;

namespace DbSync.Postgres.Planning;

/// <summary>The tables of the copied schema as a replica knows them, before and after a migration, and what a replica makes of the difference.</summary>
/// <param name="copy">The copy.</param>
/// <param name="publication">The publication's name.</param>
/// <param name="isLogged">Whether the primary logs each change where it happens.</param>
/// <param name="sharded">The tables with a shard key, as the replica names them.</param>
internal sealed class PlannedTables(Primary copy, string publication, bool isLogged, IReadOnlySet<string> sharded)
{
    private const string StateSql =
        """
        SELECT c.oid, dbsync.definition_of(c.oid), coalesce((
            SELECT pg_catalog.string_agg(pg_catalog.concat(leaf.oid, '=', leaf.relfilenode), ' ' ORDER BY leaf.oid)
            FROM pg_catalog.pg_partition_tree(c.oid) AS part JOIN pg_catalog.pg_class AS leaf ON leaf.oid = part.relid AND part.isleaf), pg_catalog.concat(c.oid, '=', c.relfilenode)) -- an ordinary table is in no tree
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'dbsync')
        """;

    // What ALTER TYPE can change: it may stand inside of stored values.
    private const string TypesSql =
        """
        SELECT t.oid, pg_catalog.concat_ws(' ', t.typnamespace, t.typname, (SELECT pg_catalog.string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid),
            (SELECT pg_catalog.string_agg(pg_catalog.concat(a.attname, ':', a.atttypid, ':', a.atttypmod), ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0))
        FROM pg_catalog.pg_type AS t LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
        WHERE t.oid >= 16384 AND (t.typtype = 'e' OR c.relkind = 'c')
        """;

    private readonly TypeCatalog _types = new();
    private Dictionary<uint, string> _typesBefore = [];
    private readonly HashSet<uint> _holders = [];
    private bool _followsNew;

    /// <summary>Publishes the tables that the primary publishes.</summary>
    /// <exception cref="DbSyncException">DBS2015 when one is not in the copy.</exception>
    public async Task PublishAsync(IReadOnlyCollection<TableName> tables, bool followsNew, CancellationToken cancellationToken)
    {
        _followsNew = followsNew;
        foreach (var table in tables)
        {
            if (await copy.ScalarAsync<bool>($"SELECT pg_catalog.to_regclass({PgName.Literal(table.Quoted)}) IS NULL", cancellationToken))
                throw new DbSyncException(
                    ErrorCodes.MigrationNotPlanned, $"{table} could not be made in an empty copy of the schema.",
                    "It may need an extension that this role can't create: give --scratch, a server where it can.");
        }
        await copy.ExecuteAsync($"CREATE PUBLICATION {PgName.Quote(publication)} WITH (publish_via_partition_root = true)", cancellationToken);
        if (tables.Count > 0) await copy.ExecuteAsync($"ALTER PUBLICATION {PgName.Quote(publication)} ADD TABLE {string.Join(", ", tables.Select(t => t.Quoted))}", cancellationToken);
        _typesBefore = await ReadTypesAsync(cancellationToken);
        if (followsNew) await copy.ExecuteAsync($"COMMENT ON PUBLICATION {PgName.Quote(publication)} IS {PgName.Literal(PublicationState.EveryTable)}", cancellationToken);
    }

    /// <summary>Every table by its oid.</summary>
    public Task<Dictionary<uint, TableAsIs>> ReadAsync(CancellationToken cancellationToken) => copy.UseAsync(
        async connection =>
        {
            await using var command = Primary.Command(connection, StateSql);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var tables = new Dictionary<uint, TableAsIs>();
            var log = new SchemaLogReader(publication, _types);
            while (await reader.ReadAsync(cancellationToken))
            {
                var (oid, text) = (reader.GetFieldValue<uint>(0), reader.GetString(1));
                var entry = log.Read("table", oid, "ALTER TABLE", text);
                var definition = TableDefinition.Parse(text);
                var files = reader.GetString(2).Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal);
                tables.Add(oid, new TableAsIs(new TableName(definition.Schema, definition.Name), entry is { Kind: ChangeKind.Alter } ? entry.Table : null, files));
            }
            return tables;
        },
        cancellationToken);

    /// <summary>The same after the migration, once what the event triggers do about publications is done.</summary>
    public async Task<Dictionary<uint, TableAsIs>> ReadAgainAsync(CancellationToken cancellationToken)
    {
        if (isLogged && _followsNew)
            foreach (var table in (await ReadAsync(cancellationToken)).Keys) await copy.ExecuteAsync($"SELECT dbsync.keep_published({table})", cancellationToken);
        foreach (var (type, _) in (await ReadTypesAsync(cancellationToken)).Where(t => _typesBefore.TryGetValue(t.Key, out var before) && before != t.Value))
            _holders.UnionWith(await copy.ScalarAsync<uint[]>($"SELECT ARRAY(SELECT relation FROM dbsync.tables_of_type({type}) WHERE NOT plain)", cancellationToken));
        return await ReadAsync(cancellationToken);
    }

    private Task<Dictionary<uint, string>> ReadTypesAsync(CancellationToken cancellationToken) => copy.UseAsync(
        async connection =>
        {
            await using var command = Primary.Command(connection, TypesSql);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var types = new Dictionary<uint, string>();
            while (await reader.ReadAsync(cancellationToken)) types.Add(reader.GetFieldValue<uint>(0), reader.GetString(1));
            return types;
        },
        cancellationToken);

    /// <summary>What a replica has to do, for each table that it has or gets and that is not as before.</summary>
    public IEnumerable<PlannedTable> Compare(Dictionary<uint, TableAsIs> before, Dictionary<uint, TableAsIs> after)
    {
        foreach (var (oid, was) in before)
        {
            if (was.Published is not { } table) continue;
            var (work, reason) = !after.TryGetValue(oid, out var now) ? (PlannedWork.Instant, "it is dropped") : Judge(table, was, now, before);
            if (reason is not null) yield return new PlannedTable(was.Name.ToString(), work, 0, 0, reason);
        }
        foreach (var (oid, now) in after)
            if (!before.ContainsKey(oid) && now.Published is not null) yield return new PlannedTable(now.Name.ToString(), PlannedWork.Instant, 0, 0, "it is new: what the migration puts into it is copied");
        foreach (var (oid, now) in after)
            if (before.TryGetValue(oid, out var was) && was.Published is null && now.Published is not null) yield return new PlannedTable(now.Name.ToString(), PlannedWork.Copy, 0, 0, "it is published from now on");
    }

    private (PlannedWork Work, string? Reason) Judge(TableSchema from, TableAsIs was, TableAsIs now, Dictionary<uint, TableAsIs> before)
    {
        if (now.Published is not { } to) return (PlannedWork.NotFollowed, "it leaves the publication: without a usable replica identity its own updates would fail there");
        if (to.Columns.GroupBy(c => c.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } twins)
            return (PlannedWork.NotFollowed, $"SQLite does not tell the columns {string.Join(" and ", twins.Select(c => c.Name))} apart");
        if (was.IsRewritten(now)) return (PlannedWork.Copy, "PostgreSQL computes its rows anew");
        if (_holders.Contains(to.Id.Oid)) return (PlannedWork.Copy, "its stored values hold a type that changes, inside of an array, a range or a composite");
        if (to.IsPublishedAnewSince(from)) return (PlannedWork.Copy, "the publication takes it otherwise than before");
        if (from.ReplicaName != to.ReplicaName && (sharded.Contains(from.ReplicaName) || sharded.Contains(to.ReplicaName))) return (PlannedWork.Copy, "it is sharded, and shard keys go by the table's name");
        if (from.IsDescribedLike(to) || (IsAlike(from, to) && isLogged)) return (PlannedWork.Instant, null);
        var created = to.Partitions is { } parts && from.Partitions is { } had && parts.Except(had).Any() && parts.Except(had).All(p => !before.ContainsKey(p));
        var flags = (isLogged ? AlterationFlags.None : AlterationFlags.Inferred) | (created && isLogged ? AlterationFlags.Created : AlterationFlags.None);
        if (TableChange.Between(from, to, flags) is not { } change)
            return (PlannedWork.Copy, isLogged ? "its rows can't be told from what is here" : "without event triggers it can't be told which rows are as before");
        if (change.NeedsRebuild) return (PlannedWork.Rewrite, "its key or the order of its texts changes");
        if (change.Relabels.Length > 0) return (PlannedWork.Rewrite, "labels are renamed in its rows");
        var built = to.Indexes.Count(i => !from.Indexes.Any(i.IsLike));
        return built > 0 ? (PlannedWork.IndexBuild, $"{built} index(es) are built") : (PlannedWork.Instant, "only its description changes");
    }

    /// <summary>True when only what says when a column was last touched differs.</summary>
    private static bool IsAlike(TableSchema from, TableSchema to) =>
        from.Marks is { } marks && to.Marks is { } others && marks.Select(m => m.Number).SequenceEqual(others.Select(m => m.Number)) && from.IsDescribedLike(to with { Marks = from.Marks });
}

/// <summary>A table of the copy.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Published">As the publication takes it; null when it doesn't.</param>
/// <param name="Files">The files of its rows, those of each partition, with the tables that they are of.</param>
internal sealed record TableAsIs(TableName Name, TableSchema? Published, IReadOnlySet<string> Files)
{
    /// <summary>True when a table that was there has its rows in another file now.</summary>
    public bool IsRewritten(TableAsIs now)
    {
        var files = now.Files.ToLookup(OwnerOf, StringComparer.Ordinal);
        return Files.Any(f => files.Contains(OwnerOf(f)) && !now.Files.Contains(f));
    }

    private static string OwnerOf(string file) => file.Split('=')[0];
}
