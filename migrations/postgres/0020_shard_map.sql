-- Published. Where a replica's rows are: which shards hold which buckets, and by which columns tables are sharded. Each version is a row,
-- whole and never changed, and follows the one before: who inserts version n + 1 second has lost (compare and set). So every node sees a
-- new map at one position of the log.
CREATE TABLE dbsync.shard_map (
    replica text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    copies integer NOT NULL CHECK (copies > 0),
    spread integer NOT NULL,
    hash text NOT NULL,
    shards jsonb NOT NULL,
    keys jsonb NOT NULL,
    -- For each of the 16,384 buckets the ordinals of its shards, 16 bits each, little-endian.
    owners bytea NOT NULL CHECK (pg_catalog.length(owners) = 32768 * copies),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (replica, version)
);
