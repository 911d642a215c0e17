-- A database whose language is ICU's has a datcollate too, and may call it C.UTF-8: its text is not sorted byte by byte for that. What the schema
-- log said of such a database let replicas sort its text, and compare its keys, by their bytes.
DO $$
DECLARE
    before CONSTANT text := $old$OR co.collprovider = 'd' AND d.datcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8')$old$;
    now CONSTANT text := $new$OR co.collprovider = 'd' AND CASE coalesce(to_jsonb(d) ->> 'datlocprovider', 'c')
                        WHEN 'c' THEN d.datcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8')
                        WHEN 'b' THEN to_jsonb(d) ->> 'datlocale' IN ('C', 'C.UTF-8')
                        ELSE false END$new$;
    definition text := pg_catalog.pg_get_functiondef('dbsync.definition_of(oid)'::pg_catalog.regprocedure);
BEGIN
    IF pg_catalog.strpos(definition, before) = 0 THEN
        RAISE EXCEPTION 'dbsync.definition_of is not the function that this migration changes';
    END IF;
    EXECUTE pg_catalog.replace(definition, before, now);
END $$;
