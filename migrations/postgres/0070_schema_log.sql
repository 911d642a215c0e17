-- The primary's schema changes, as rows of a published table: they reach every replica in the order of the log, in the transaction that made
-- them. What is logged is how a table stands, never a statement: a replica compares with what it has (D5).
--
-- Two ways lead here. Event triggers log each change where it happens ('dbsync init' creates them where the role may). Without them
-- dbsync.schema_changed() logs how every published table stands, after a migration.
--
-- The trigger functions are SECURITY DEFINER: whoever may run DDL needs no right here, and nobody else can forge a change. They never fail
-- the statement that fired them, take no lock on a table, and wait for nobody.

CREATE TABLE dbsync.schema_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation oid NOT NULL,
    -- table: how it stands after the command. seen: the same, when nobody knows what was done. rewrite: the command computes its rows anew.
    -- drop: it is gone. index: one of a schema's indexes is gone. unknown: something changed and could not be described.
    change text NOT NULL CHECK (change IN ('table', 'seen', 'rewrite', 'drop', 'index', 'unknown')),
    command text NOT NULL,
    definition text,
    logged_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE dbsync.schema_log IS 'Schema changes on their way to the replicas; kept for 30 days for people to read.';

-- How each of DbSync's publications takes a table; none that doesn't. From the catalog itself: pg_publication_tables locks every table it lists.
CREATE FUNCTION dbsync.publications_of(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    by_schema oid[] := '{}';
    above oid[];
    above_by_schema oid[] := '{}';
    result jsonb;
BEGIN
    WITH RECURSIVE up (oid) AS (
        SELECT i.inhparent FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition WHERE i.inhrelid = relation
        UNION ALL
        SELECT i.inhparent FROM up JOIN pg_inherits AS i ON i.inhrelid = up.oid JOIN pg_class AS c ON c.oid = up.oid AND c.relispartition
    )
    SELECT coalesce(array_agg(up.oid), '{}') INTO above FROM up;
    IF to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL THEN
        EXECUTE 'SELECT coalesce(array_agg(n.pnpubid) FILTER (WHERE c.oid = $1), ''{}''), coalesce(array_agg(n.pnpubid) FILTER (WHERE c.oid <> $1), ''{}'')
            FROM pg_catalog.pg_publication_namespace AS n JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.pnnspid WHERE c.oid = $1 OR c.oid = ANY ($2)'
            INTO by_schema, above_by_schema USING relation, above;
    END IF;
    SELECT coalesce(jsonb_object_agg(p.pubname, jsonb_build_object(
            'entry', coalesce(own.oid, p.oid)::bigint,
            'columns', to_jsonb(own) -> 'prattrs',
            'generated', coalesce(to_jsonb(p) ->> 'pubgencols' = 's', false))), '{}')
    INTO result
    FROM pg_publication AS p
    JOIN pg_class AS c ON c.oid = relation
    LEFT JOIN pg_publication_rel AS own ON own.prpubid = p.oid AND own.prrelid = relation
    CROSS JOIN LATERAL (SELECT
        p.puballtables OR own.oid IS NOT NULL OR p.oid = ANY (by_schema) AS itself,
        cardinality(above) > 0 AND (p.puballtables OR p.oid = ANY (above_by_schema)
            OR EXISTS (SELECT FROM pg_publication_rel AS r WHERE r.prpubid = p.oid AND r.prrelid = ANY (above))) AS with_root
        ) AS listed
    WHERE p.pubname LIKE 'dbsync\_%' AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
        AND CASE WHEN p.pubviaroot THEN listed.itself AND NOT listed.with_root ELSE c.relkind = 'r' AND (listed.itself OR listed.with_root) END;
    RETURN result;
END $$;

-- A table as a replica needs to know it. Values print as DbSync's own sessions print them.
CREATE FUNCTION dbsync.definition_of(relation oid) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
SET bytea_output = 'hex' SET lc_monetary = 'C' AS $$
    WITH RECURSIVE below (oid) AS (
        SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = relation
        UNION ALL
        SELECT i.inhrelid FROM below JOIN pg_inherits AS i ON i.inhparent = below.oid
    ),
    type_part (oid) AS (
        SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
        UNION
        SELECT part.oid
        FROM type_part
        JOIN pg_type AS t ON t.oid = type_part.oid
        CROSS JOIN LATERAL (VALUES (t.typbasetype), (CASE WHEN t.typoutput = 'array_out'::regproc THEN t.typelem ELSE 0 END)) AS part (oid)
        WHERE part.oid <> 0
    )
    SELECT jsonb_build_object(
        'schema', n.nspname, 'name', c.relname, 'storage', c.relfilenode::bigint, 'identity', c.relreplident, 'partitioned', c.relkind = 'p',
        'children', c.relkind = 'r' AND EXISTS (SELECT FROM below),
        'partitions', CASE WHEN c.relkind = 'p'
            THEN (SELECT coalesce(jsonb_agg(b.oid::bigint ORDER BY b.oid), '[]') FROM below AS b JOIN pg_class AS bc ON bc.oid = b.oid AND bc.relkind <> 'p') END,
        'publications', dbsync.publications_of(relation),
        'columns', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'number', a.attnum, 'name', a.attname, 'type', a.atttypid::bigint, 'modifier', a.atttypmod, 'typeName', format_type(a.atttypid, a.atttypmod),
                'key', coalesce(array_position(k.indkey, a.attnum), -1), 'stamp', a.xmin::text::bigint, 'isGenerated', a.attgenerated <> '',
                'bytewise', coalesce(co.collprovider IN ('c', 'b') AND coalesce(co.collcollate, '') IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8')
                    OR co.collprovider = 'd' AND d.datcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8'), false),
                'missing', CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1]
                    WHEN c.relkind = 'p' THEN (SELECT (p.attmissingval::text::text[])[1] FROM below AS b -- a table without rows of its own keeps none
                        JOIN pg_attribute AS p ON p.attrelid = b.oid AND p.attname = a.attname AND p.atthasmissing LIMIT 1) END) ORDER BY a.attnum), '[]')
            FROM pg_attribute AS a
            JOIN pg_database AS d ON d.datname = current_database()
            LEFT JOIN pg_collation AS co ON co.oid = a.attcollation
            LEFT JOIN LATERAL (
                SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS indkey
                FROM pg_index AS i
                WHERE i.indrelid = relation AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
                    AND (c.relreplident = 'i' AND i.indisreplident OR c.relreplident IN ('d', 'f') AND i.indisprimary)
            ) AS k ON true
            WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped),
        'indexes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'name', ic.relname, 'options', to_jsonb(i.indoption::int2[]),
                'columns', (SELECT jsonb_agg(a.attname ORDER BY key.place)
                    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key (attnum, place)
                    JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum = key.attnum
                    WHERE key.place <= i.indnkeyatts)) ORDER BY ic.relname), '[]')
            FROM pg_index AS i
            JOIN pg_class AS ic ON ic.oid = i.indexrelid
            JOIN pg_am AS am ON am.oid = ic.relam
            WHERE i.indrelid = relation AND am.amname = 'btree' AND i.indisvalid AND i.indexprs IS NULL AND NOT i.indisprimary),
        'types', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'oid', t.oid::bigint, 'schema', tn.nspname, 'name', t.typname, 'kind', t.typtype, 'category', t.typcategory, 'baseType', t.typbasetype::bigint,
                'elementType', CASE WHEN t.typoutput = 'array_out'::regproc THEN t.typelem::bigint ELSE 0 END,
                'rangeSubtype', coalesce((SELECT r.rngsubtype::bigint FROM pg_range AS r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)), 0),
                'enumLabels', ARRAY(SELECT e.enumlabel::text FROM pg_enum AS e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
                'hasBinarySend', t.typsend <> 0)), '[]')
            FROM type_part JOIN pg_type AS t ON t.oid = type_part.oid JOIN pg_namespace AS tn ON tn.oid = t.typnamespace))::text
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = relation;
$$;

-- Logs how tables stand. Nothing of temporary tables, nor of DbSync's own.
CREATE FUNCTION dbsync.log_tables(relations oid[], what text, command text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO dbsync.schema_log (relation, change, command, definition)
    SELECT c.oid, what, command, dbsync.definition_of(c.oid)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (relations) AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'dbsync')
    ORDER BY c.oid;
    -- Concurrent DDL must not wait for each other here.
    DELETE FROM dbsync.schema_log WHERE id IN (
        SELECT id FROM dbsync.schema_log WHERE logged_at < clock_timestamp() - interval '30 days' ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED);
$$;

-- Every table that one of DbSync's publications may take.
CREATE FUNCTION dbsync.published_tables() RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(c.oid), '{}') FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'dbsync')
        AND dbsync.publications_of(c.oid) <> '{}';
$$;

-- For whoever has changed the schema and can't have event triggers: call it after the change, in the same transaction or later. DbSync's EF Core
-- plug-in does so after each migration. Where event triggers log every change by themselves it does nothing, unless one could not be logged.
CREATE FUNCTION dbsync.schema_changed(missed boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT missed AND EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'dbsync_ddl' AND evtenabled = 'A') THEN RETURN; END IF;
    PERFORM dbsync.log_tables(dbsync.published_tables(), 'seen', 'schema_changed');
END $$;

REVOKE ALL ON FUNCTION dbsync.publications_of(oid), dbsync.definition_of(oid), dbsync.log_tables(oid[], text, text), dbsync.published_tables() FROM PUBLIC;
REVOKE ALL ON FUNCTION dbsync.schema_changed(boolean) FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dbsync_app') THEN
        GRANT EXECUTE ON FUNCTION dbsync.schema_changed(boolean) TO dbsync_app;
    END IF;
END $$;
