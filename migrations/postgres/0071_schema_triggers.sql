-- What the event triggers call: see 0070. The triggers themselves are created by 'dbsync init' where the role may create some.

-- A table, the tables above and below it, and for an index its table's.
CREATE FUNCTION dbsync.family_of(relation oid) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE start (oid) AS (SELECT coalesce((SELECT i.indrelid FROM pg_index AS i WHERE i.indexrelid = relation), relation)),
    up (oid) AS (SELECT oid FROM start UNION SELECT i.inhparent FROM up JOIN pg_inherits AS i ON i.inhrelid = up.oid),
    down (oid) AS (SELECT oid FROM start UNION SELECT i.inhrelid FROM down JOIN pg_inherits AS i ON i.inhparent = down.oid)
    SELECT oid FROM up UNION SELECT oid FROM down;
$$;

-- The tables with a column of a type, at any depth: domains over it, arrays and ranges of it, composites with it. "plain" are those whose columns
-- hold it as a value of its own; in the others its name or its labels are inside of what is stored.
CREATE FUNCTION dbsync.tables_of_type(type oid, OUT relation oid, OUT plain boolean) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE used (oid, plain) AS (
        SELECT type, (SELECT t.typtype <> 'c' FROM pg_type AS t WHERE t.oid = type)
        UNION
        SELECT next.oid, used.plain AND next.plain
        FROM used
        CROSS JOIN LATERAL (
            SELECT t.oid, true FROM pg_type AS t WHERE t.typbasetype = used.oid
            UNION ALL SELECT t.oid, false FROM pg_type AS t WHERE t.typelem = used.oid AND t.typoutput = 'array_out'::regproc
            UNION ALL SELECT x.oid, false FROM pg_range AS r CROSS JOIN LATERAL (VALUES (r.rngtypid), (r.rngmultitypid)) AS x (oid) WHERE r.rngsubtype = used.oid
            UNION ALL SELECT c.reltype, false FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'c'
                WHERE a.atttypid = used.oid AND a.attnum > 0 AND NOT a.attisdropped
        ) AS next (oid, plain)
    )
    SELECT a.attrelid, bool_and(used.plain)
    FROM used JOIN pg_attribute AS a ON a.atttypid = used.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    GROUP BY a.attrelid;
$$;

-- Publishes a table where every table is to be published, when nothing of the application's would fail by it; takes it out when its own updates
-- would. 'dbsync init' has the same rules, with their reasons (class Refusal).
CREATE FUNCTION dbsync.keep_published(relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
    p record;
    usable boolean;
    grantee record;
BEGIN
    SELECT c.oid, c.relname, n.nspname, c.relreplident, c.relnamespace INTO t
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = relation AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'dbsync') AND n.nspname !~ '^pg_';
    IF NOT FOUND THEN RETURN; END IF;
    usable := t.relreplident = 'f' OR EXISTS (SELECT FROM pg_index AS i
        WHERE i.indrelid = relation AND i.indimmediate AND i.indisvalid AND (t.relreplident = 'd' AND i.indisprimary OR t.relreplident = 'i' AND i.indisreplident));
    FOR p IN
        SELECT pub.oid, pub.pubname, r.oid IS NOT NULL AS has_table
        FROM pg_publication AS pub LEFT JOIN pg_publication_rel AS r ON r.prpubid = pub.oid AND r.prrelid = relation
        WHERE pub.pubname LIKE 'dbsync\_%' AND NOT pub.puballtables AND obj_description(pub.oid, 'pg_publication') = 'DbSync: every table that can be published'
    LOOP
        IF p.has_table AND NOT usable THEN
            EXECUTE format('ALTER PUBLICATION %I DROP TABLE %I.%I', p.pubname, t.nspname, t.relname);
        ELSIF NOT p.has_table AND usable
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = relation AND d.deptype = 'e')
            AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped)
            AND NOT EXISTS (SELECT FROM dbsync.family_of(relation) AS f JOIN pg_class AS c ON c.oid = f
                WHERE c.oid <> relation AND (NOT c.relispartition OR c.relkind = 'f' OR c.relpersistence <> 'p' OR c.relreplident <> t.relreplident))
            AND NOT EXISTS (SELECT lower(a.attname) FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
                GROUP BY lower(a.attname) HAVING count(*) > 1 OR lower(a.attname) IN ('rowid', 'oid', '_rowid_') AND t.relreplident = 'f')
            AND NOT EXISTS (SELECT FROM pg_attribute AS a JOIN pg_index AS i ON i.indrelid = relation AND a.attnum = ANY (i.indkey::int2[])
                WHERE a.attrelid = relation AND a.attgenerated <> '' AND (i.indisprimary OR i.indisreplident))
            AND NOT EXISTS (SELECT FROM pg_publication_rel AS r JOIN pg_class AS c ON c.oid = r.prrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE r.prpubid = p.oid AND lower(concat_ws('.', nullif(n.nspname, 'public'), c.relname)) = lower(concat_ws('.', nullif(t.nspname, 'public'), t.relname)))
            AND concat_ws('.', nullif(t.nspname, 'public'), t.relname) !~* '^(sqlite_|dbsync\.)'
        THEN
            EXECUTE format('ALTER PUBLICATION %I ADD TABLE %I.%I', p.pubname, t.nspname, t.relname);
            -- Who may read DbSync's log may run a node, and copies the table.
            FOR grantee IN
                SELECT DISTINCT r.rolname FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS acl JOIN pg_roles AS r ON r.oid = acl.grantee
                WHERE c.oid = 'dbsync.schema_log'::regclass AND acl.privilege_type = 'SELECT' AND acl.grantee <> c.relowner
            LOOP
                EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', t.nspname, grantee.rolname);
                EXECUTE format('GRANT SELECT ON %I.%I TO %I', t.nspname, t.relname, grantee.rolname);
            END LOOP;
        END IF;
    END LOOP;
END $$;

-- A change that could not be logged: the replicas look at the catalog then. The statement that made it goes on, whatever happens here.
CREATE FUNCTION dbsync.log_failed(command text, reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE WARNING 'DbSync could not log this schema change: %', reason;
    INSERT INTO dbsync.schema_log (relation, change, command) VALUES (0, 'unknown', command);
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'DbSync''s log can''t be written: %', sqlerrm;
END $$;

-- After a command: the tables that it may have changed.
CREATE FUNCTION dbsync.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched oid[];
    within oid[];
    one oid;
BEGIN
    IF tg_tag IN ('GRANT', 'REVOKE', 'COMMENT', 'SECURITY LABEL', 'ALTER DEFAULT PRIVILEGES') OR tg_tag LIKE '%FUNCTION' OR tg_tag LIKE '%VIEW' OR tg_tag LIKE '%POLICY'
    THEN RETURN; END IF;
    SELECT array_agg(DISTINCT f.oid) INTO touched
    FROM pg_event_trigger_ddl_commands() AS d
    CROSS JOIN LATERAL (
        SELECT f FROM dbsync.family_of(d.objid) AS f WHERE d.classid = 'pg_class'::regclass
        UNION ALL SELECT t.relation FROM dbsync.tables_of_type(d.objid) AS t WHERE d.classid = 'pg_type'::regclass AND d.command_tag LIKE 'ALTER %'
        UNION ALL SELECT r.prrelid FROM pg_publication_rel AS r WHERE d.classid = 'pg_publication_rel'::regclass AND r.oid = d.objid
        UNION ALL SELECT unnest(dbsync.published_tables()) WHERE d.classid IN ('pg_publication'::regclass, 'pg_namespace'::regclass) AND d.command_tag LIKE 'ALTER %'
            OR d.object_type = 'publication namespace' OR d.command_tag LIKE 'ALTER EXTENSION'
    ) AS f (oid)
    WHERE d.schema_name IS DISTINCT FROM 'pg_temp';
    IF touched IS NULL THEN RETURN; END IF;
    IF tg_tag LIKE 'CREATE %' OR tg_tag IN ('ALTER TABLE', 'SELECT INTO') THEN
        FOREACH one IN ARRAY touched LOOP
            BEGIN
                PERFORM dbsync.keep_published(one);
            EXCEPTION WHEN OTHERS THEN
                RAISE WARNING 'DbSync: % could not be published or taken out: %', one::regclass, sqlerrm;
            END;
        END LOOP;
    END IF;
    -- What a type's own change alters inside of stored values can only be read again.
    INSERT INTO dbsync.schema_log (relation, change, command)
    SELECT DISTINCT t.relation, 'rewrite', tg_tag FROM pg_event_trigger_ddl_commands() AS d CROSS JOIN LATERAL dbsync.tables_of_type(d.objid) AS t
    WHERE d.classid = 'pg_type'::regclass AND d.command_tag = 'ALTER TYPE' AND NOT t.plain;
    PERFORM dbsync.log_tables(touched, 'table', tg_tag);
EXCEPTION WHEN OTHERS THEN
    PERFORM dbsync.log_failed(tg_tag, sqlerrm);
END $$;

CREATE FUNCTION dbsync.on_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO dbsync.schema_log (relation, change, command)
    SELECT d.objid, 'drop', tg_tag FROM pg_event_trigger_dropped_objects() AS d WHERE d.object_type = 'table' AND NOT d.is_temporary;
    INSERT INTO dbsync.schema_log (relation, change, command, definition)
    SELECT 0, 'index', tg_tag, jsonb_build_object('schema', d.schema_name, 'name', d.object_name)::text
    FROM pg_event_trigger_dropped_objects() AS d WHERE d.object_type = 'index' AND NOT d.is_temporary AND tg_tag <> 'DROP TABLE';
    PERFORM dbsync.log_tables(array_agg(t.oid), 'table', tg_tag)
    FROM (
        SELECT d.objid FROM pg_event_trigger_dropped_objects() AS d WHERE d.object_type = 'table column' AND tg_tag <> 'ALTER TABLE'
        UNION
        SELECT to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))::oid
        FROM pg_event_trigger_dropped_objects() AS d WHERE d.object_type = 'publication relation' AND tg_tag = 'ALTER PUBLICATION'
        UNION
        SELECT c.oid FROM pg_event_trigger_dropped_objects() AS d JOIN pg_namespace AS n ON n.nspname = d.address_names[1] JOIN pg_class AS c ON c.relnamespace = n.oid
        WHERE d.object_type = 'publication namespace' AND tg_tag = 'ALTER PUBLICATION'
    ) AS t (oid)
    HAVING count(t.oid) > 0;
EXCEPTION WHEN OTHERS THEN
    PERFORM dbsync.log_failed(tg_tag, sqlerrm);
END $$;

-- Before a table's rows are computed anew. 2: a column is added with values of its own for each row; 4: a column's type changes.
CREATE FUNCTION dbsync.on_rewrite() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_event_trigger_table_rewrite_reason() & 6 = 0 THEN RETURN; END IF;
    INSERT INTO dbsync.schema_log (relation, change, command)
    SELECT f, 'rewrite', tg_tag FROM dbsync.family_of(pg_event_trigger_table_rewrite_oid()) AS f
    JOIN pg_class AS c ON c.oid = f WHERE c.relpersistence = 'p' AND (f = pg_event_trigger_table_rewrite_oid() OR c.relkind = 'p');
EXCEPTION WHEN OTHERS THEN
    PERFORM dbsync.log_failed(tg_tag, sqlerrm);
END $$;

REVOKE ALL ON FUNCTION dbsync.family_of(oid), dbsync.tables_of_type(oid), dbsync.keep_published(oid), dbsync.log_failed(text, text), dbsync.on_ddl(), dbsync.on_drop(), dbsync.on_rewrite() FROM PUBLIC;
