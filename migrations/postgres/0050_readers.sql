-- What readers of a replica need from the primary besides rows: a commit that brings every replica past all that came before it, and a sign
-- that the rights on tables have changed. Both travel with the heartbeat, so in the order of the log.

-- A fingerprint of everything that decides which rows a role may see: readers ask the primary again when it changes.
ALTER TABLE dbsync.heartbeat ADD COLUMN rights bigint;

CREATE FUNCTION dbsync.rights() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT hashtextextended(
        concat_ws('|',
            (SELECT string_agg(concat_ws(' ', c.oid, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text), ',' ORDER BY c.oid)
            FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384),
            (SELECT string_agg(concat_ws(' ', r.oid, r.rolsuper, r.rolbypassrls, r.rolinherit), ',' ORDER BY r.oid) FROM pg_roles AS r),
            (SELECT string_agg(concat_ws(' ', m.roleid, m.member), ',' ORDER BY m.roleid, m.member) FROM pg_auth_members AS m)),
        0);
$$;

-- Called by an application's own role, which has no right on the table. It is committed on disk whatever the session says, since a replica
-- never goes beyond what is on the primary's disk; set_config and not a SET of the function, which would end before the commit.
CREATE FUNCTION dbsync.nudge() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    INSERT INTO dbsync.heartbeat (node, beat, beat_at) VALUES ('readers', 1, clock_timestamp())
    ON CONFLICT (node) DO UPDATE SET beat = heartbeat.beat + 1, beat_at = clock_timestamp();
END $$;

REVOKE ALL ON FUNCTION dbsync.nudge(), dbsync.rights() FROM PUBLIC;

-- Who may; as for locks. 'dbsync init --grant-app ROLE' grants the same to the application's own role.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dbsync_app') THEN
        GRANT USAGE ON SCHEMA dbsync TO dbsync_app;
        GRANT EXECUTE ON FUNCTION dbsync.nudge() TO dbsync_app;
    END IF;
END $$;
