-- A change of the schema costs the same however many tables are published and however many changes were logged before it.

-- A row for each: PostgreSQL asks a function that returns an array already when it plans the query around it, also where the query then does not.
DROP FUNCTION dbsync.published_tables();
CREATE FUNCTION dbsync.published_tables() RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'dbsync')
        AND dbsync.publications_of(c.oid) <> '{}';
$$;
REVOKE ALL ON FUNCTION dbsync.published_tables() FROM PUBLIC;

CREATE OR REPLACE FUNCTION dbsync.schema_changed(missed boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT missed AND EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'dbsync_ddl' AND evtenabled = 'A') THEN RETURN; END IF;
    PERFORM dbsync.log_tables(ARRAY(SELECT dbsync.published_tables()), 'seen', 'schema_changed');
END $$;

CREATE OR REPLACE FUNCTION dbsync.on_ddl() RETURNS event_trigger
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
        UNION ALL SELECT t FROM dbsync.published_tables() AS t WHERE d.classid IN ('pg_publication'::regclass, 'pg_namespace'::regclass) AND d.command_tag LIKE 'ALTER %'
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

-- What is older than 30 days is found without looking at what is not.
CREATE INDEX schema_log_logged_at ON dbsync.schema_log (logged_at);
CREATE OR REPLACE FUNCTION dbsync.log_tables(relations oid[], what text, command text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO dbsync.schema_log (relation, change, command, definition)
    SELECT c.oid, what, command, dbsync.definition_of(c.oid)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (relations) AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'dbsync')
    ORDER BY c.oid;
    -- Concurrent DDL must not wait for each other here.
    DELETE FROM dbsync.schema_log WHERE id IN (
        SELECT id FROM dbsync.schema_log WHERE logged_at < now() - interval '30 days' ORDER BY logged_at LIMIT 1000 FOR UPDATE SKIP LOCKED);
$$;

-- Its planner takes a pass over all types of the database for cheap, and makes it twice.
ALTER FUNCTION dbsync.definition_of(oid) SET enable_hashjoin = off;
ALTER FUNCTION dbsync.definition_of(oid) SET enable_mergejoin = off;
