-- A change of the schema costs the same however many tables are published and however many changes were logged before it.

-- PostgreSQL asks a stable function already when it plans the query around it, to see how long its array is, also where the query then does not.
ALTER FUNCTION dbsync.published_tables() VOLATILE;

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

-- PostgreSQL plans a function of LANGUAGE sql anew at each call, and these took longer to plan than to run: as plpgsql a session plans them once.
DO $$
DECLARE
    f record;
    body text;
BEGIN
    FOR f IN
        SELECT p.oid::regprocedure AS name, p.prosrc, p.proretset, p.prorettype = 'void'::regtype AS is_void, pg_catalog.pg_get_functiondef(p.oid) AS definition
        FROM pg_catalog.pg_proc AS p WHERE p.oid = ANY (ARRAY[
            'dbsync.definition_of(oid)', 'dbsync.log_tables(oid[],text,text)', 'dbsync.family_of(oid)', 'dbsync.tables_of_type(oid)']::regprocedure[])
    LOOP
        body := rtrim(f.prosrc, E' \n;');
        body := CASE WHEN f.is_void THEN body WHEN f.proretset THEN 'RETURN QUERY ' || body ELSE 'RETURN (' || body || ')' END;
        EXECUTE replace(
            replace(f.definition, 'LANGUAGE sql', 'LANGUAGE plpgsql'), f.prosrc, format(E'\n#variable_conflict use_column\nBEGIN\n%s;\nEND ', body));
        EXECUTE format('ALTER FUNCTION %s SET plan_cache_mode = force_generic_plan', f.name);
    END LOOP;
END $$;
