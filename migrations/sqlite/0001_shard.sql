-- What a shard file knows about itself. Everything here changes in the same transaction as the rows it speaks of.
-- The names can't meet a replicated table's: the schema "dbsync" of the primary is DbSync's own.

CREATE TABLE "dbsync.shard" (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    replica TEXT NOT NULL,
    node TEXT NOT NULL,
    shard TEXT NOT NULL,
    -- The position that the rows belong to: the end of the last transaction applied.
    applied_lsn INTEGER NOT NULL,
    -- Counts commits, so that readers of several shards can tell whether one moved between two looks.
    commits INTEGER NOT NULL,
    -- How many rows each table has: entries of 16 bytes, its key and its rows, little-endian.
    row_counts BLOB NOT NULL DEFAULT x''
);

-- The replicated tables. State: 0 set aside, 1 copying, 2 catching up, 3 live; only live tables may be read.
CREATE TABLE "dbsync.table" (
    oid INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    schema TEXT NOT NULL,
    state INTEGER NOT NULL,
    planned INTEGER NOT NULL,
    readable_from INTEGER NOT NULL,
    -- In how many chunks a live table was copied; their own rows go when it becomes live.
    chunks INTEGER NOT NULL DEFAULT 0
);

-- The key ranges of tables that are being copied, with the snapshot that each was read with.
CREATE TABLE "dbsync.chunk" (
    table_oid INTEGER NOT NULL,
    number INTEGER NOT NULL,
    lower_literals TEXT,
    lower_cells BLOB,
    upper_literals TEXT,
    upper_cells BLOB,
    snapshot TEXT,
    rows INTEGER NOT NULL,
    PRIMARY KEY (table_oid, number)
) WITHOUT ROWID;

-- Transactions whose changes were dropped because a chunk was not here yet: its snapshot has to see them.
CREATE TABLE "dbsync.dropped" (
    table_oid INTEGER NOT NULL,
    xid INTEGER NOT NULL,
    PRIMARY KEY (table_oid, xid)
) WITHOUT ROWID;

-- Rows of tables under copy that were read by themselves, each a chunk of one: the cells of the key, and the snapshot.
CREATE TABLE "dbsync.row" (
    table_oid INTEGER NOT NULL,
    key BLOB NOT NULL,
    snapshot TEXT NOT NULL,
    PRIMARY KEY (table_oid, key)
) WITHOUT ROWID;

-- Columns that hold a value which was kept as PostgreSQL's text (NaN, infinity, ...): only the primary answers queries over them.
CREATE TABLE "dbsync.primary_only" (
    table_oid INTEGER NOT NULL,
    "column" TEXT NOT NULL,
    PRIMARY KEY (table_oid, "column")
) WITHOUT ROWID;

-- Tables that are set aside (state 0) because of a value that can't be stored; "column" is null for a row that is too large as a whole.
CREATE TABLE "dbsync.quarantine" (
    table_oid INTEGER PRIMARY KEY,
    "column" TEXT,
    lsn INTEGER NOT NULL,
    reason TEXT NOT NULL
);

-- The labels of enum types in declaration order, for their collations.
CREATE TABLE "dbsync.enum" (
    collation TEXT PRIMARY KEY,
    labels TEXT NOT NULL
) WITHOUT ROWID;

-- Filled in test mode only: every source transaction, once, in order.
CREATE TABLE "dbsync.journal" (
    sequence INTEGER PRIMARY KEY,
    end_lsn INTEGER NOT NULL UNIQUE,
    xid INTEGER NOT NULL
);
