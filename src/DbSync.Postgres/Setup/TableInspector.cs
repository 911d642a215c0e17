using Npgsql;

namespace DbSync.Postgres;

/// <summary>Reads what the primary has in tables outside its own schemas and DbSync's.</summary>
internal static class TableInspector
{
    // Partitions travel as their root table, so only roots are candidates; but PostgreSQL checks the identity of the partition that a
    // row is in, so each must have its root's.
    private const string Sql =
        """
        SELECT n.nspname::text, c.relname::text,
            c.relpersistence = 'p' AND NOT coalesce(leaf.unlogged, false),
            EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
            coalesce(leaf.is_foreign, false),
            pg_catalog.pg_has_role(c.relowner, 'USAGE'),
            c.relreplident,
            coalesce(key.is_primary, false), coalesce(key.is_identity, false), uniq.name,
            EXISTS (SELECT FROM pg_catalog.pg_index AS i
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[]) AND a.attgenerated <> ''
                WHERE i.indrelid = c.oid AND (c.relreplident = 'i' AND i.indisreplident OR c.relreplident = 'd' AND i.indisprimary)),
            coalesce(leaf.unlike, '{}'),
            ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
            c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhparent = c.oid)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN LATERAL (
            SELECT bool_or(i.indisprimary) AS is_primary, bool_or(i.indisreplident) AS is_identity
            FROM pg_catalog.pg_index AS i
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
        ) AS key ON true
        LEFT JOIN LATERAL (
            SELECT ic.relname::text AS name
            FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                    WHERE a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                        AND (NOT a.attnotnull OR a.attgenerated <> ''))
            ORDER BY i.indnkeyatts, ic.relname
            LIMIT 1
        ) AS uniq ON true
        LEFT JOIN LATERAL (
            SELECT bool_or(lc.relkind = 'f') AS is_foreign, bool_or(lc.relpersistence <> 'p') AS unlogged,
                array_agg(pg_catalog.format('%I.%I', ln.nspname, lc.relname) ORDER BY ln.nspname, lc.relname)
                    FILTER (WHERE lc.relkind <> 'f' AND lc.relreplident <> c.relreplident) AS unlike
            FROM pg_catalog.pg_partition_tree(c.oid) AS t
            JOIN pg_catalog.pg_class AS lc ON lc.oid = t.relid
            JOIN pg_catalog.pg_namespace AS ln ON ln.oid = lc.relnamespace
            WHERE c.relkind = 'p' AND t.isleaf AND t.relid <> c.oid
        ) AS leaf ON true
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
            AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'dbsync') AND n.nspname !~ '^pg_'
        ORDER BY n.nspname, c.relname
        """;

    public static async Task<IReadOnlyList<TableFacts>> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, Sql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var tables = new List<TableFacts>();
        while (await reader.ReadAsync(cancellationToken))
            tables.Add(new TableFacts(
                reader.GetString(0), reader.GetString(1), reader.GetBoolean(2), reader.GetBoolean(3), reader.GetBoolean(4), reader.GetBoolean(5),
                (ReplicaIdentity)reader.GetChar(6), reader.GetBoolean(7), reader.GetBoolean(8), reader.IsDBNull(9) ? null : reader.GetString(9),
                reader.GetBoolean(10), reader.GetFieldValue<string[]>(11), reader.GetFieldValue<string[]>(12), reader.GetBoolean(13)));
        return tables;
    }
}
