-- Buckets that a sharded table is about to get: their changes are not for the table as it is read but for the copy beside it, which takes
-- its place once it is complete.
CREATE TABLE "dbsync.arriving" (
    table_oid INTEGER PRIMARY KEY,
    buckets BLOB NOT NULL
);
