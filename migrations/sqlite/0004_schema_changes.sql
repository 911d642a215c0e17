-- Counts the changes of tables' descriptions, some of which are no DDL to SQLite: whoever remembers them compares this.
ALTER TABLE "dbsync.shard" ADD COLUMN schema_changes INTEGER NOT NULL DEFAULT 0;
