using Npgsql;

namespace DbSync.Postgres;

/// <summary>What the catalog says of a table, as far as it decides where its rows go.</summary>
/// <param name="Oid">The table.</param>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">Its size, partitions and TOAST included.</param>
/// <param name="Identity">The columns that an update or delete sends of the old row.</param>
/// <param name="NotNull">The columns that are never NULL.</param>
/// <param name="PrimaryKey">The columns of its primary key.</param>
/// <param name="IsPartitioned">Whether it has partitions, each with a replica identity of its own.</param>
internal sealed record ShardingFacts(
    uint Oid, string Schema, string Name, long Bytes, IReadOnlyList<string> Identity, IReadOnlyList<string> NotNull, IReadOnlyList<string> PrimaryKey, bool IsPartitioned)
{
    private const string TablesSql =
        """
        SELECT c.oid, n.nspname::text, c.relname::text,
            CASE WHEN c.relkind = 'p'
                THEN (SELECT coalesce(sum(pg_catalog.pg_table_size(t.relid)), 0)::bigint FROM pg_catalog.pg_partition_tree(c.oid) AS t WHERE t.isleaf)
                ELSE pg_catalog.pg_table_size(c.oid) END,
            CASE WHEN k.names IS NOT NULL THEN k.names WHEN c.relreplident = 'f' THEN every.names ELSE '{}' END,
            every.not_null, coalesce(pk.names, '{}'), c.relkind = 'p'
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}') AS names,
                coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnotnull), '{}') AS not_null
            FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ) AS every
        LEFT JOIN LATERAL (
            SELECT ARRAY(SELECT a.attname::text FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS u(num, place)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.num ORDER BY u.place) AS names
            FROM pg_catalog.pg_index AS i
            WHERE i.indrelid = c.oid AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
                AND (c.relreplident = 'i' AND i.indisreplident OR c.relreplident IN ('d', 'f') AND i.indisprimary)
        ) AS k ON true
        LEFT JOIN LATERAL (
            SELECT ARRAY(SELECT a.attname::text FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS u(num, place)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.num ORDER BY u.place) AS names
            FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary
        ) AS pk ON true
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
            AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'dbsync') AND n.nspname !~ '^pg_'
        ORDER BY n.nspname, c.relname
        """;

    private const string ForeignKeysSql =
        """
        SELECT con.conrelid, con.confrelid,
            ARRAY(SELECT a.attname::text FROM unnest(con.conkey) WITH ORDINALITY AS u(num, place)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.conrelid AND a.attnum = u.num ORDER BY u.place),
            ARRAY(SELECT a.attname::text FROM unnest(con.confkey) WITH ORDINALITY AS u(num, place)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.confrelid AND a.attnum = u.num ORDER BY u.place)
        FROM pg_catalog.pg_constraint AS con WHERE con.contype = 'f' AND con.conparentid = 0
        ORDER BY con.oid
        """;

    public string ReplicaName => TableSchema.ReplicaNameOf(Schema, Name);

    public string Quoted => $"{PgName.Quote(Schema)}.{PgName.Quote(Name)}";

    public static async Task<IReadOnlyList<ShardingFacts>> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, TablesSql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var tables = new List<ShardingFacts>();
        while (await reader.ReadAsync(cancellationToken))
            tables.Add(new ShardingFacts(
                reader.GetFieldValue<uint>(0), reader.GetString(1), reader.GetString(2), reader.GetInt64(3), reader.GetFieldValue<string[]>(4),
                reader.GetFieldValue<string[]>(5), reader.GetFieldValue<string[]>(6), reader.GetBoolean(7)));
        return tables;
    }

    public static async Task<IReadOnlyList<ForeignKey>> ReadForeignKeysAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, ForeignKeysSql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var keys = new List<ForeignKey>();
        while (await reader.ReadAsync(cancellationToken))
            keys.Add(new ForeignKey(
                reader.GetFieldValue<uint>(0), reader.GetFieldValue<uint>(1), reader.GetFieldValue<string[]>(2), reader.GetFieldValue<string[]>(3)));
        return keys;
    }

    /// <summary>What keeps the table from being sharded by some of its columns; null when nothing does.</summary>
    public Refusal? Refuse(IReadOnlyList<string> key)
    {
        if (key.FirstOrDefault(c => !NotNull.Contains(c, StringComparer.Ordinal)) is { } nullable)
            return new Refusal(
                ReplicaName, ErrorCodes.NullShardKey, $"It can't be sharded by {nullable}, which may be NULL.",
                $"ALTER TABLE {Quoted} ALTER COLUMN {PgName.Quote(nullable)} SET NOT NULL;");
        var missing = key.Where(c => !Identity.Contains(c, StringComparer.Ordinal)).ToList();
        if (missing.Count == 0) return null;
        var reason = $"It is to be sharded by {string.Join(", ", key)}, and its replica identity lacks {string.Join(", ", missing)}: a deleted row could not be found.";
        if (IsPartitioned || PrimaryKey.Count == 0)
            return new Refusal(ReplicaName, ErrorCodes.ShardKeyNotInIdentity, $"{reason} Make {string.Join(", ", missing)} part of its primary key.", null);
        var index = PgName.Quote($"{Name}_dbsync");
        var columns = string.Join(", ", PrimaryKey.Concat(missing).Select(PgName.Quote));
        return new Refusal(
            ReplicaName, ErrorCodes.ShardKeyNotInIdentity, reason,
            $"CREATE UNIQUE INDEX {index} ON {Quoted} ({columns}); ALTER TABLE {Quoted} REPLICA IDENTITY USING INDEX {index};");
    }
}

/// <summary>A foreign key: the columns of the child, and those of the parent that they name, in the same order.</summary>
internal sealed record ForeignKey(uint Child, uint Parent, IReadOnlyList<string> ChildColumns, IReadOnlyList<string> ParentColumns);
