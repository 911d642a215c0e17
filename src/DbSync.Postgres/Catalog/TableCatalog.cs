using System.Collections.Immutable;
using DbSync.Postgres.Types;
using Npgsql;
using NpgsqlTypes;

namespace DbSync.Postgres;

/// <summary>Reads the published tables from the primary's catalog and turns them into replica tables.</summary>
internal sealed class TableCatalog(TypeCatalog types)
{
    // One row a published column, in the stream's order. The key is the replica identity's index; under FULL the primary key, if there is one.
    private const string SelectSql =
        """
        SELECT
            c.oid, n.nspname::text, c.relname::text, c.relreplident::text,
            a.attname::text, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod),
            coalesce(pg_catalog.array_position(k.indkey::int2[], a.attnum), -1) AS key_position,
            coalesce(co.collprovider IN ('c', 'b') AND coalesce(co.collcollate, '') IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8')
                OR co.collprovider = 'd' AND CASE coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c')
                    WHEN 'c' THEN d.datcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8')
                    WHEN 'b' THEN pg_catalog.to_jsonb(d) ->> 'datlocale' IN ('C', 'C.UTF-8')
                    ELSE false END, false) AS bytewise,
            coalesce(pr.oid, pub.oid) AS entry,
            c.relkind = 'p', c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhparent = c.oid),
            a.attnum, a.xmin::text::bigint, c.relfilenode
        """;

    private const string AttributesSql =
        """

        LEFT JOIN pg_catalog.pg_publication_rel AS pr ON pr.prpubid = pub.oid AND pr.prrelid = c.oid
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
        LEFT JOIN pg_catalog.pg_collation AS co ON co.oid = a.attcollation
        LEFT JOIN LATERAL (
            SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS indkey
            FROM pg_catalog.pg_index AS i
            WHERE i.indrelid = c.oid AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
                AND (c.relreplident = 'i' AND i.indisreplident OR c.relreplident IN ('d', 'f') AND i.indisprimary)
        ) AS k ON true
        """;

    // PostgreSQL 14 has no column lists, and only 18 can publish generated columns. OFFSET 0: the list is built once for a table, not for each of its columns.
    private const string PublishedSql =
        SelectSql
        + """

        FROM pg_catalog.pg_publication_tables AS p
        JOIN pg_catalog.pg_publication AS pub ON pub.pubname = p.pubname
        JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname
        JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
        CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(p) -> 'attnames' AS names OFFSET 0) AS list
        """
        + AttributesSql
        + """

        WHERE p.pubname = $1 AND ($2::oid IS NULL OR c.oid = $2) AND NOT (n.nspname = 'dbsync' AND c.relname = 'schema_log')
            AND coalesce(list.names ? a.attname::text, true)
            AND (a.attgenerated = '' OR pg_catalog.current_setting('server_version_num')::int >= 180000)
        ORDER BY c.oid, a.attnum
        """;

    // What the stream has announced. pg_publication_tables would lock every published table from 16 on, and the stream must wait for nobody's ALTER.
    private const string AnnouncedSql =
        SelectSql
        + """

        FROM pg_catalog.pg_publication AS pub
        JOIN pg_catalog.pg_class AS c ON c.oid = $2
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        """
        + AttributesSql
        + """

        WHERE pub.pubname = $1 AND a.attname::text = ANY ($3)
        ORDER BY a.attnum
        """;

    // Indexes on columns only: what SQLite can have too, a partial one over all rows. The key's own index is the table itself.
    private const string IndexesSql =
        """
        SELECT i.indrelid, ic.relname::text, i.indoption::int2[],
            ARRAY(
                SELECT a.attname::text
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key(attnum, place)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = key.attnum
                WHERE key.place <= i.indnkeyatts
                ORDER BY key.place)
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
        WHERE i.indrelid = ANY ($1::oid[]) AND am.amname = 'btree' AND i.indisvalid
            AND i.indexprs IS NULL AND NOT i.indisprimary
        ORDER BY i.indrelid, ic.relname
        """;

    // The tables that hold the rows of partitioned ones. Not pg_partition_tree, which locks them all.
    private const string PartitionsSql =
        """
        WITH RECURSIVE below (root, oid) AS (
            SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = ANY ($1::oid[])
            UNION ALL
            SELECT below.root, i.inhrelid FROM below JOIN pg_catalog.pg_inherits AS i ON i.inhparent = below.oid
        )
        SELECT below.root, below.oid FROM below JOIN pg_catalog.pg_class AS c ON c.oid = below.oid AND c.relkind <> 'p' ORDER BY below.root, below.oid
        """;

    // A table that is published by itself has an entry, made anew whenever it is added; one that a schema or FOR ALL TABLES brings shares the publication's.
    private const string EntriesSql =
        """
        SELECT t.relid::oid, coalesce(pr.oid, pub.oid)
        FROM pg_catalog.pg_publication AS pub
        CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(pub.pubname::text) AS t
        LEFT JOIN pg_catalog.pg_publication_rel AS pr ON pr.prpubid = pub.oid AND pr.prrelid = t.relid
        WHERE pub.pubname = $1 AND t.relid IS DISTINCT FROM pg_catalog.to_regclass('dbsync.schema_log')
        """;

    /// <summary>The publication's entry for each of its tables: what changes when one is added or left out.</summary>
    public static async Task<IReadOnlyDictionary<TableId, uint>> LoadEntriesAsync(
        NpgsqlConnection connection, string publication, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, EntriesSql, publication);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var entries = new Dictionary<TableId, uint>();
        while (await reader.ReadAsync(cancellationToken)) entries.Add(new TableId(reader.GetFieldValue<uint>(0)), reader.GetFieldValue<uint>(1));
        return entries;
    }

    /// <summary>The tables of a publication, or only one of them.</summary>
    public List<TableSchema> Load(NpgsqlConnection connection, string publication, uint? only)
    {
        using var command = new NpgsqlCommand(PublishedSql, connection);
        command.Parameters.Add(new() { Value = publication });
        command.Parameters.Add(new() { Value = only is { } oid ? oid : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Oid });
        return Load(connection, command);
    }

    /// <summary>A table that the stream has announced, with those of its columns that are in the catalog now; null when it is gone.</summary>
    public TableSchema? Find(NpgsqlConnection connection, string publication, RelationMessage message)
    {
        using var command = new NpgsqlCommand(AnnouncedSql, connection);
        command.Parameters.Add(new() { Value = publication });
        command.Parameters.Add(new() { Value = message.Oid, NpgsqlDbType = NpgsqlDbType.Oid });
        command.Parameters.Add(new() { Value = message.Columns.Select(c => c.Name).ToArray() });
        return Load(connection, command).FirstOrDefault();
    }

    private List<TableSchema> Load(NpgsqlConnection connection, NpgsqlCommand columns)
    {
        var tables = LoadColumns(columns);
        types.Load(connection, tables.SelectMany(t => t.Columns.Select(c => c.TypeOid)).Distinct().ToList());
        var indexes = LoadIndexes(connection, tables.Select(t => t.Oid).ToArray());
        var partitions = LoadPartitions(connection, [.. tables.Where(t => t.IsPartitioned).Select(t => t.Oid)]);
        return tables.ConvertAll(t => Build(t with { Partitions = t.IsPartitioned ? [.. partitions[t.Oid]] : null }, indexes[t.Oid]));
    }

    /// <summary>The codecs of a table's columns.</summary>
    public TypeCodec[] CodecsOf(TableSchema table) => [.. table.Columns.Select(c => types.CodecFor(c.TypeOid))];

    /// <summary>
    /// Builds a table from its relation message alone: how the stream saw it, when the catalog has moved on. Its identity flags name the key;
    /// under FULL they name every column, and the key is the one known before, if its columns are still there.
    /// </summary>
    public TableSchema Build(RelationMessage message, TableSchema? known)
    {
        var flagged = Enumerable.Range(0, message.Columns.Count).Where(i => message.Columns[i].IsIdentity).ToArray();
        if (message.Identity == ReplicaIdentity.Full)
            flagged = known is null ? [] : [.. known.Key.Select(k => message.Columns.ToList().FindIndex(c => c.Name == known.Columns[k].Name))];
        if (flagged.Contains(-1)) flagged = [];
        var columns = message.Columns.Select((c, i) => new Column(
            c.Name, c.TypeOid, c.TypeModifier, types.Find(c.TypeOid).Name, Array.IndexOf(flagged, i),
            known?.Columns.FirstOrDefault(k => k.Name == c.Name && k.TypeOid == c.TypeOid)?.OrdersAlike ?? false, null));
        return Build(new Table(message.Oid, message.Schema, message.Name, message.Identity, known?.Entry ?? 0, known?.IsPartitioned ?? false, known?.HasChildren ?? false, [.. columns]), []);
    }

    /// <summary>Builds a table from its description in the schema log, all of whose types this catalog has.</summary>
    public TableSchema Build(uint oid, TableDefinition definition, DefinedPublication published, IReadOnlyList<DefinedColumn> columns) => Build(
        new Table(
            oid, definition.Schema, definition.Name, (ReplicaIdentity)definition.Identity, published.Entry, definition.Partitioned, definition.Children,
            [.. columns.Select(c => new Column(c.Name, c.Type, c.Modifier, c.TypeName, c.Key, c.Bytewise, new ColumnMark(c.Number, c.Stamp)))], definition.Partitions, definition.Storage),
        definition.Indexes.Select(i => (i.Name, i.Options, i.Columns)));

    private TableSchema Build(Table table, IEnumerable<(string Name, short[] Options, string[] Columns)> indexes)
    {
        var columns = table.Columns.Select(c =>
        {
            var codec = types.CodecFor(c.TypeOid);
            return new ColumnSchema(
                c.Name, c.TypeOid, c.TypeModifier, c.TypeName, codec.Storage, codec.Collation, codec.PrimaryOnlyReason, OrdersAlike(c.TypeOid, c.IsBytewise));
        }).ToImmutableArray();
        var key = table.Columns.Select((c, i) => (c.KeyPosition, Ordinal: i)).Where(k => k.KeyPosition >= 0).OrderBy(k => k.KeyPosition).Select(k => k.Ordinal);
        var enums = table.Columns.Select(c => types.EnumOf(c.TypeOid)).OfType<PgType>().DistinctBy(t => t.Oid)
            .Select(t => new EnumSchema(t.EnumCollation, t.EnumLabels)).ToImmutableArray();
        return new TableSchema(
            new TableId(table.Oid), table.Schema, table.Name, table.Identity, columns, [.. key],
            [.. indexes.Select(i => IndexOf(i, columns)).OfType<IndexSchema>(), .. KeyIndex([.. key], columns)], enums, table.Entry, table.IsPartitioned, table.HasChildren,
            table.Columns.TrueForAll(c => c.Mark is not null) ? [.. table.Columns.Select(c => c.Mark!.Value)] : null, table.Partitions is { } parts ? [.. parts] : null, table.Storage);
    }

    /// <summary>A shard tells keys apart by their bytes; queries compare them as the columns' collations do, and need an index of their own then.</summary>
    private static IEnumerable<IndexSchema> KeyIndex(ImmutableArray<int> key, ImmutableArray<ColumnSchema> columns)
    {
        if (key.Any(k => columns[k].Collation is not null)) yield return new IndexSchema("dbsync key", key, [.. key.Select(_ => false)]);
    }

    private static IndexSchema? IndexOf((string Name, short[] Options, string[] Columns) index, ImmutableArray<ColumnSchema> columns)
    {
        const int Descending = 1; // INDOPTION_DESC
        var ordinals = index.Columns.Select(name => columns.ToList().FindIndex(c => c.Name == name)).ToImmutableArray();
        return ordinals.Contains(-1) ? null : new IndexSchema(index.Name, ordinals, [.. index.Options.Take(ordinals.Length).Select(o => (o & Descending) != 0)]);
    }

    /// <summary>Types whose stored values sort as PostgreSQL sorts them; text only under a bytewise collation.</summary>
    private bool OrdersAlike(uint type, bool bytewise) => types.Find(type) is { Schema: PgType.SystemSchema } known && known.Name switch
    {
        "int2" or "int4" or "int8" or "uuid" or "bool" or "bytea" or "oid" => true,
        "text" or "varchar" => bytewise,
        _ => false,
    };

    private static List<Table> LoadColumns(NpgsqlCommand command)
    {
        using var reader = command.ExecuteReader();
        var tables = new List<Table>();
        while (reader.Read())
        {
            var oidRead = reader.GetFieldValue<uint>(0);
            if (tables.Count == 0 || tables[^1].Oid != oidRead)
                tables.Add(new Table(oidRead, reader.GetString(1), reader.GetString(2), (ReplicaIdentity)reader.GetChar(3), reader.GetFieldValue<uint>(10),
                    reader.GetBoolean(11), reader.GetBoolean(12), [], Storage: reader.GetFieldValue<uint>(15)));
            tables[^1].Columns.Add(new Column(
                reader.GetString(4), reader.GetFieldValue<uint>(5), reader.GetInt32(6), reader.GetString(7), reader.GetInt32(8), reader.GetBoolean(9),
                new ColumnMark(reader.GetInt16(13), (uint)reader.GetInt64(14))));
        }
        return tables;
    }

    private static ILookup<uint, (string Name, short[] Options, string[] Columns)> LoadIndexes(NpgsqlConnection connection, uint[] tables)
    {
        using var command = new NpgsqlCommand(IndexesSql, connection);
        command.Parameters.Add(new() { Value = tables, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Oid });
        using var reader = command.ExecuteReader();
        var indexes = new List<(uint Table, string Name, short[] Options, string[] Columns)>();
        while (reader.Read())
            indexes.Add((reader.GetFieldValue<uint>(0), reader.GetString(1), reader.GetFieldValue<short[]>(2), reader.GetFieldValue<string[]>(3)));
        return indexes.ToLookup(i => i.Table, i => (i.Name, i.Options, i.Columns));
    }

    private static ILookup<uint, uint> LoadPartitions(NpgsqlConnection connection, uint[] tables)
    {
        var partitions = new List<(uint Table, uint Partition)>();
        if (tables.Length > 0)
        {
            using var command = new NpgsqlCommand(PartitionsSql, connection);
            command.Parameters.Add(new() { Value = tables, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Oid });
            using var reader = command.ExecuteReader();
            while (reader.Read()) partitions.Add((reader.GetFieldValue<uint>(0), reader.GetFieldValue<uint>(1)));
        }
        return partitions.ToLookup(p => p.Table, p => p.Partition);
    }

    private sealed record Table(
        uint Oid, string Schema, string Name, ReplicaIdentity Identity, uint Entry, bool IsPartitioned, bool HasChildren, List<Column> Columns, uint[]? Partitions = null, uint Storage = 0);

    private sealed record Column(string Name, uint TypeOid, int TypeModifier, string TypeName, int KeyPosition, bool IsBytewise, ColumnMark? Mark);
}
