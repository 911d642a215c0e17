-- The shard layout (map and keys) that holds at this file's position; no row while the replica is not sharded.
CREATE TABLE "dbsync.layout" (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    copies INTEGER NOT NULL,
    spread INTEGER NOT NULL,
    hash TEXT NOT NULL,
    shards TEXT NOT NULL,
    keys TEXT NOT NULL,
    owners BLOB NOT NULL
);

-- Rows that a changed shard key moved to another shard, kept until that one has them on disk: after a crash it may have to be told again
-- what a value is that the primary did not send.
CREATE TABLE "dbsync.moved" (
    commit_lsn INTEGER NOT NULL,
    table_oid INTEGER NOT NULL,
    identity BLOB NOT NULL,
    row BLOB NOT NULL,
    PRIMARY KEY (commit_lsn, table_oid, identity)
) WITHOUT ROWID;
