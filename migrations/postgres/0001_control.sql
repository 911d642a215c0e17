-- DbSync's control schema on the primary: who follows this database, and the rows that travel to them through its own change log.

CREATE SCHEMA IF NOT EXISTS dbsync;
COMMENT ON SCHEMA dbsync IS 'DbSync: local SQLite read replicas. Removed by ''dbsync uninstall''.';

-- A node is one process with one slot and one data directory. Its name is made up once, when its data directory is.
CREATE TABLE dbsync.node (
    name text PRIMARY KEY,
    replica text NOT NULL,
    slot text NOT NULL UNIQUE,
    publication text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- Published. One row a node, updated at every beat: it keeps an idle database's log moving, and it measures the way through the log.
CREATE TABLE dbsync.heartbeat (
    node text PRIMARY KEY,
    beat bigint NOT NULL,
    beat_at timestamptz NOT NULL
);

-- Published, so that a request reaches its node at a place in the log. The node answers with a snapshot that can be imported and the
-- position at which its shards stand still; the one who compares then says that it has opened both.
CREATE TABLE dbsync.verification (
    id uuid PRIMARY KEY,
    node text NOT NULL,
    state text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'ready', 'taken', 'failed')),
    snapshot text,
    lsn pg_lsn,
    requested_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
