-- What an application's model says of its tables: sharded by which columns, held whole by every shard, not replicated, or without some columns.
-- EF Core migrations write it; a migration that ran before 'dbsync init' has created the table already, in this shape.
-- By regclass: a renamed table keeps its choice, and a dump names it.
CREATE TABLE IF NOT EXISTS dbsync.table_choice (
    relation regclass PRIMARY KEY,
    placement text NOT NULL CHECK (placement IN ('default', 'sharded', 'reference', 'none')),
    shard_key text[] NOT NULL DEFAULT '{}',
    hidden text[] NOT NULL DEFAULT '{}',
    placed_as text,
    taken_from text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE dbsync.table_choice IS 'How the application''s model wants its tables replicated; written by EF Core migrations.';

-- How a shard key's columns are hashed; class ShardKeyType has the same rules.
CREATE FUNCTION dbsync.hash_kinds(relation oid, shard_key text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_column text;
    kind text;
    kinds jsonb := '[]';
    col record;
BEGIN
    FOREACH key_column IN ARRAY shard_key LOOP
        WITH RECURSIVE beneath (type) AS (
            SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = key_column AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT t.typbasetype FROM beneath JOIN pg_type AS t ON t.oid = beneath.type WHERE t.typtype = 'd'
        )
        SELECT t.oid, a.attnotnull, coalesce(c.collisdeterministic, true) AND getdatabaseencoding() = 'UTF8' AS bytewise,
            CASE k.identity WHEN 'f' THEN true ELSE EXISTS (SELECT FROM pg_index AS i
                WHERE i.indrelid = relation AND i.indimmediate AND i.indisvalid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                    AND (k.identity = 'i' AND i.indisreplident OR k.identity = 'd' AND i.indisprimary)) END AS in_identity
        INTO col
        FROM beneath
        JOIN pg_type AS t ON t.oid = beneath.type AND t.typtype <> 'd'
        JOIN pg_attribute AS a ON a.attrelid = relation AND a.attname = key_column
        LEFT JOIN pg_collation AS c ON c.oid = a.attcollation
        CROSS JOIN LATERAL (SELECT relreplident AS identity FROM pg_class WHERE oid = relation) AS k;
        IF NOT FOUND THEN RAISE EXCEPTION 'DbSync: % has no column % to be sharded by', relation::regclass, key_column; END IF;
        kind := CASE WHEN col.oid IN (20, 21, 23, 26) THEN 'Integer' WHEN col.oid = 16 THEN 'Boolean' WHEN col.oid = 2950 THEN 'Uuid'
            WHEN col.oid IN (25, 1043) AND col.bytewise THEN 'Text' WHEN col.oid = 1042 AND col.bytewise THEN 'PaddedText' WHEN col.oid = 17 THEN 'Bytes'
            WHEN col.oid = 1082 THEN 'Date' WHEN col.oid IN (1114, 1184) THEN 'Timestamp' WHEN col.oid = 1700 THEN 'Numeric' END;
        IF kind IS NULL THEN
            RAISE EXCEPTION 'DbSync: % can''t be sharded by %, of type %', relation::regclass, key_column, format_type(col.oid, NULL)
                USING HINT = 'Use an integer, uuid, text, bytea, date, timestamp, numeric or bool column, under a deterministic collation.';
        END IF;
        IF NOT col.attnotnull THEN RAISE EXCEPTION 'DbSync: % can''t be sharded by %, which may be NULL', relation::regclass, key_column; END IF;
        IF NOT col.in_identity THEN
            RAISE EXCEPTION 'DbSync: % can''t be sharded by %, which is not in its replica identity: a deleted row could not be found', relation::regclass, key_column
                USING HINT = 'Take the column into the primary key, or use a unique index with it as the replica identity.';
        END IF;
        kinds := kinds || to_jsonb(kind);
    END LOOP;
    RETURN kinds;
END $$;

-- Brings the publications and the shard maps in line with what was chosen. A second call changes nothing.
CREATE FUNCTION dbsync.apply_choices() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
    p record;
    m record;
    keys jsonb;
    wanted int2[];
    columns text;
BEGIN
    IF NOT EXISTS (SELECT FROM dbsync.table_choice) THEN RETURN; END IF;
    LOCK TABLE dbsync.table_choice IN SHARE ROW EXCLUSIVE MODE;
    FOR t IN
        SELECT ch.*, c.relreplident FROM dbsync.table_choice AS ch JOIN pg_class AS c ON c.oid = ch.relation
    LOOP
        SELECT array_agg(a.attnum ORDER BY a.attnum), string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO wanted, columns
        FROM pg_attribute AS a
        WHERE a.attrelid = t.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (t.hidden)
            AND (a.attgenerated = '' OR a.attgenerated = 's' AND current_setting('server_version_num')::int >= 180000)
            AND EXISTS (SELECT FROM pg_attribute AS h WHERE h.attrelid = t.relation AND h.attname = ANY (t.hidden) AND NOT h.attisdropped);
        IF wanted IS NOT NULL AND t.placement <> 'none' AND (t.relreplident = 'f' OR EXISTS (
            SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = ANY (i.indkey::int2[])
            WHERE i.indrelid = t.relation AND a.attname = ANY (t.hidden) AND (t.relreplident = 'd' AND i.indisprimary OR t.relreplident = 'i' AND i.indisreplident)))
        THEN
            RAISE EXCEPTION 'DbSync: a column of % that is not to be replicated is in its replica identity: its updates would fail', t.relation;
        END IF;
        FOR p IN
            SELECT pub.pubname, pub.puballtables, r.oid IS NOT NULL AS has_table, nullif(to_jsonb(r) -> 'prattrs', 'null') AS listed
            FROM pg_publication AS pub LEFT JOIN pg_publication_rel AS r ON r.prpubid = pub.oid AND r.prrelid = t.relation
            WHERE pub.pubname LIKE 'dbsync\_%'
        LOOP
            IF p.puballtables AND (t.placement = 'none' OR wanted IS NOT NULL) THEN
                RAISE EXCEPTION 'DbSync: publication % is FOR ALL TABLES and can leave nothing of % out', p.pubname, t.relation;
            ELSIF t.placement = 'none' AND p.has_table THEN
                EXECUTE format('ALTER PUBLICATION %I DROP TABLE %s', p.pubname, t.relation);
                UPDATE dbsync.table_choice SET taken_from = taken_from || p.pubname::text WHERE relation = t.relation;
            ELSIF t.placement <> 'none' AND p.has_table AND p.listed IS DISTINCT FROM to_jsonb(wanted) THEN
                EXECUTE format('ALTER PUBLICATION %I DROP TABLE %s', p.pubname, t.relation);
                EXECUTE format('ALTER PUBLICATION %I ADD TABLE %s', p.pubname, t.relation) || coalesce(' (' || columns || ')', '');
            ELSIF t.placement <> 'none' AND NOT p.has_table AND p.pubname = ANY (t.taken_from) THEN
                EXECUTE format('ALTER PUBLICATION %I ADD TABLE %s', p.pubname, t.relation) || coalesce(' (' || columns || ')', '');
            END IF;
        END LOOP;
        UPDATE dbsync.table_choice SET taken_from = '{}' WHERE relation = t.relation AND placement <> 'none' AND taken_from <> '{}';
    END LOOP;

    FOR m IN SELECT DISTINCT ON (s.replica) s.* FROM dbsync.shard_map AS s ORDER BY s.replica, s.version DESC LOOP
        keys := m.keys;
        FOR t IN
            SELECT ch.*, c.oid IS NOT NULL AS is_there, concat_ws('.', nullif(n.nspname, 'public'), c.relname) AS name
            FROM dbsync.table_choice AS ch LEFT JOIN pg_class AS c ON c.oid = ch.relation LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
            ORDER BY c.oid IS NOT NULL, ch.relation::oid
        LOOP
            IF t.placed_as IS NOT NULL AND (NOT t.is_there OR t.placement <> 'sharded' OR t.placed_as <> t.name) THEN keys := keys - t.placed_as; END IF;
            IF t.is_there AND t.placement IN ('reference', 'none') THEN keys := keys - t.name; END IF;
            IF t.is_there AND t.placement = 'sharded' THEN
                keys := keys || jsonb_build_object(t.name, jsonb_build_object('columns', to_jsonb(t.shard_key), 'kinds', dbsync.hash_kinds(t.relation, t.shard_key)));
            END IF;
        END LOOP;
        IF keys <> m.keys THEN
            INSERT INTO dbsync.shard_map (replica, version, copies, spread, hash, shards, keys, owners)
            VALUES (m.replica, m.version + 1, m.copies, m.spread, m.hash, m.shards, keys, m.owners);
        END IF;
    END LOOP;
    UPDATE dbsync.table_choice AS ch
    SET placed_as = CASE WHEN ch.placement = 'sharded' THEN concat_ws('.', nullif(n.nspname, 'public'), c.relname) END
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ch.relation;
    DELETE FROM dbsync.table_choice AS ch
    WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = ch.relation) OR ch.placement = 'default' AND ch.hidden = '{}';
END $$;

-- What a migration calls. Only for a table of one's own.
CREATE FUNCTION dbsync.choose_table(of regclass, placement text, shard_key text[], hidden text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (SELECT pg_has_role(session_user, c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = of) THEN
        RAISE EXCEPTION 'DbSync: only the owner of % says how it is replicated', of USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO dbsync.table_choice AS ch (relation, placement, shard_key, hidden) VALUES (of, $2, $3, $4)
    ON CONFLICT (relation) DO UPDATE SET placement = excluded.placement, shard_key = excluded.shard_key, hidden = excluded.hidden;
    PERFORM dbsync.apply_choices();
END $$;

-- Before a column is dropped: PostgreSQL drops none that a publication lists.
CREATE FUNCTION dbsync.release_column(of regclass, column_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (SELECT pg_has_role(session_user, c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = of) THEN
        RAISE EXCEPTION 'DbSync: only the owner of % says how it is replicated', of USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE dbsync.table_choice SET hidden = hidden || column_name WHERE relation = of AND hidden <> '{}' AND NOT column_name = ANY (hidden);
    PERFORM dbsync.apply_choices();
END $$;

-- A table that is not to be replicated is not published by an event trigger either.
ALTER FUNCTION dbsync.keep_published(oid) RENAME TO keep_published_unasked;
CREATE FUNCTION dbsync.keep_published(relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM dbsync.table_choice AS ch WHERE ch.relation = $1 AND ch.placement = 'none') THEN
        PERFORM dbsync.keep_published_unasked($1);
    END IF;
END $$;

REVOKE ALL ON FUNCTION dbsync.hash_kinds(oid, text[]), dbsync.apply_choices(), dbsync.choose_table(regclass, text, text[], text[]),
    dbsync.release_column(regclass, text), dbsync.keep_published(oid) FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dbsync_app') THEN
        GRANT EXECUTE ON FUNCTION dbsync.apply_choices(), dbsync.choose_table(regclass, text, text[], text[]), dbsync.release_column(regclass, text) TO dbsync_app;
    END IF;
END $$;
