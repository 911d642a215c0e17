-- The fence: where PostgreSQL itself checks that a range lock is still the newest (D8, promise 5; issue 7, item 4).
--
-- A guarded transaction calls dbsync.fence_exclusive or dbsync.fence_shared before it reads. That waits for guarded transactions of older
-- holders of the same keys, or finds that this holder is the older one and fails with SQLSTATE DBS01; then nothing can be written.
--
-- Tokens are epoch << 40 | sequence. The epoch is here, so that it survives whatever the lock server forgets. Every function is SECURITY
-- DEFINER with a pinned search_path and schema-qualified names: the caller needs no right on the tables, and no schema of the caller's
-- comes first (scenario S19). Names and keys are parameters, never part of a statement.
--
-- SQLSTATEs: DBS01 the lock is lost; DBS10 the epochs are used up; DBS12 register before a transaction that reads from a snapshot;
-- 22023 malformed arguments.

CREATE SCHEMA IF NOT EXISTS dbsync;

-- Encoded keys are bytes in the order of the values, so one range type serves every kind of key. CREATE TYPE also makes
-- dbsync.key_multirange (PostgreSQL 14+).
CREATE TYPE dbsync.key_range AS RANGE (subtype = bytea, multirange_type_name = dbsync.key_multirange);

CREATE TABLE dbsync.lock_resource (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text COLLATE "C" NOT NULL UNIQUE CHECK (octet_length(name) BETWEEN 1 AND 200),
    epoch       bigint NOT NULL DEFAULT 0 CHECK (epoch BETWEEN 0 AND 8388607),
    epoch_since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE dbsync.lock_resource IS 'The epoch of each lock resource: every token of another epoch is refused.';

-- Keys begin with the four bytes of the resource's id. So one gist index over a range serves all resources, without btree_gist.
CREATE TABLE dbsync.fence (
    keys            dbsync.key_range NOT NULL CHECK (NOT isempty(keys)),
    exclusive_token bigint NOT NULL,
    shared_token    bigint NOT NULL,
    resource_id     integer NOT NULL,
    seen_on         date NOT NULL DEFAULT current_date,
    EXCLUDE USING gist (keys WITH &&)
);
CREATE INDEX fence_seen ON dbsync.fence (resource_id, seen_on);
COMMENT ON TABLE dbsync.fence IS 'Disjoint ranges: the highest exclusive token registered for them, and the first shared one after it (0: none).';

-- Shared holders append here instead of updating a row of dbsync.fence, which would make them wait for each other.
CREATE TABLE dbsync.fence_reader (
    keys        dbsync.key_range NOT NULL,
    token       bigint NOT NULL,
    resource_id integer NOT NULL,
    seen_on     date NOT NULL DEFAULT current_date
);
CREATE INDEX fence_reader_keys ON dbsync.fence_reader USING gist (keys);
CREATE INDEX fence_reader_seen ON dbsync.fence_reader (resource_id, seen_on);
COMMENT ON TABLE dbsync.fence_reader IS 'Shared tokens registered for a range: an exclusive holder must be newer than all that overlap it.';

-- Beside lock_resource, whose rows guarded transactions hold FOR SHARE: raising the floor waits for nobody.
CREATE TABLE dbsync.fence_floor (
    resource_id integer PRIMARY KEY,
    token       bigint NOT NULL
);
COMMENT ON TABLE dbsync.fence_floor IS 'The highest token that was forgotten: no token up to it may register any more.';

-- The epoch of a resource, 0 when it was never locked.
CREATE FUNCTION dbsync.lock_epoch(resource text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT r.epoch FROM dbsync.lock_resource AS r WHERE r.name = resource), 0);
$$;

-- Raises the epoch by one if it is still `seen`; NULL when somebody else raised it. The advisory lock is exclusive here and shared in guarded
-- transactions: without it a steady stream of FOR SHARE would starve this UPDATE.
CREATE FUNCTION dbsync.lock_epoch_advance(resource text, seen bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    resource_id integer;
    raised bigint;
BEGIN
    INSERT INTO dbsync.lock_resource (name) VALUES (resource) ON CONFLICT (name) DO NOTHING;
    SELECT r.id INTO STRICT resource_id FROM dbsync.lock_resource AS r WHERE r.name = resource;
    PERFORM pg_advisory_xact_lock(1145193299, resource_id);
    IF seen >= 8388607 THEN
        RAISE EXCEPTION 'the epochs of this lock resource are used up' USING ERRCODE = 'DBS10';
    END IF;
    UPDATE dbsync.lock_resource AS r SET epoch = r.epoch + 1, epoch_since = clock_timestamp()
    WHERE r.id = resource_id AND r.epoch = seen RETURNING r.epoch INTO raised;
    RETURN raised;
END $$;

-- Internal: the right epoch, held until the transaction ends; the keys the arguments mean, in order. FOR SHARE, not FOR KEY SHARE: the
-- latter doesn't stop the UPDATE of the epoch. It also makes a transaction with an older snapshot fail instead of seeing an old epoch.
CREATE FUNCTION dbsync.fence_enter(resource text, token bigint, low bytea[], high bytea[]) RETURNS dbsync.key_range[]
LANGUAGE plpgsql AS $$
DECLARE
    resource_id integer;
    current_epoch bigint;
    wanted dbsync.key_range[];
BEGIN
    IF token IS NULL OR cardinality(low) IS NULL OR cardinality(low) <> cardinality(high) OR cardinality(low) NOT BETWEEN 1 AND 64 THEN
        RAISE EXCEPTION 'a fence needs a token and 1 to 64 pairs of bounds' USING ERRCODE = '22023';
    END IF;
    SELECT r.id INTO resource_id FROM dbsync.lock_resource AS r WHERE r.name = resource;
    IF resource_id IS NULL THEN
        RAISE EXCEPTION 'lock lost: this resource was never locked' USING ERRCODE = 'DBS01';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(1145193299, resource_id);
    SELECT r.epoch INTO current_epoch FROM dbsync.lock_resource AS r WHERE r.id = resource_id FOR SHARE;
    IF token >> 40 <> current_epoch THEN
        RAISE EXCEPTION 'lock lost: the token is of another epoch' USING ERRCODE = 'DBS01';
    END IF;
    SELECT array_agg(dbsync.key_range(int4send(resource_id) || b.l, int4send(resource_id) || b.h) ORDER BY b.l)
    INTO wanted
    FROM unnest(low, high) AS b(l, h)
    WHERE octet_length(b.l) BETWEEN 1 AND 1025 AND octet_length(b.h) BETWEEN 1 AND 1025 AND b.l < b.h;
    IF cardinality(wanted) IS DISTINCT FROM cardinality(low) THEN
        RAISE EXCEPTION 'a bound is missing or longer than 1025 bytes, or a range is empty' USING ERRCODE = '22023';
    END IF;
    RETURN wanted;
END $$;

-- Internal: the resource that keys belong to.
CREATE FUNCTION dbsync.fence_resource(wanted dbsync.key_range) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || encode(substring(lower(wanted) FROM 1 FOR 4), 'hex'))::bit(32)::integer;
$$;

-- Internal: registering inside a transaction that reads from a snapshot could miss a newer token that was registered after the snapshot. A token
-- up to the floor may be older than one that was forgotten. Asked after the rows are locked: who forgets them commits both at once.
CREATE FUNCTION dbsync.fence_may_register(wanted dbsync.key_range, token bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'register this lock in a transaction of its own first' USING ERRCODE = 'DBS12';
    END IF;
    IF EXISTS (SELECT FROM dbsync.fence_floor AS f
               WHERE f.resource_id = dbsync.fence_resource(wanted) AND f.token >= fence_may_register.token) THEN
        RAISE EXCEPTION 'lock lost: the token is older than what is still known' USING ERRCODE = 'DBS01';
    END IF;
END $$;

-- Internal: one range, exclusive. Rows are locked in key order, so that two callers can't wait for each other; what two callers insert at
-- once the EXCLUDE constraint sorts out, and the second looks again.
CREATE FUNCTION dbsync.fence_take_exclusive(wanted dbsync.key_range, token bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    f record;
    rows_found integer;
    is_ours boolean;
    is_same boolean;
BEGIN
    FOR attempt IN 1..10 LOOP
        rows_found := 0; is_ours := false; is_same := false;
        FOR f IN SELECT * FROM dbsync.fence AS t WHERE t.keys && wanted ORDER BY t.keys FOR UPDATE LOOP
            IF f.exclusive_token > token OR f.shared_token > token THEN
                RAISE EXCEPTION 'lock lost: a newer holder is registered' USING ERRCODE = 'DBS01';
            END IF;
            rows_found := rows_found + 1;
            is_ours := f.keys @> wanted AND f.exclusive_token = token AND f.shared_token = 0;
            is_same := f.keys = wanted;
        END LOOP;
        IF is_ours THEN -- one row covers it, so there was just one; nothing to write but once a day, and the row stays locked
            IF f.seen_on < current_date THEN
                UPDATE dbsync.fence AS t SET seen_on = current_date WHERE t.keys && wanted;
            END IF;
            RETURN;
        END IF;
        -- After the rows are locked: whoever registers as shared holds them too until it has committed.
        IF EXISTS (SELECT FROM dbsync.fence_reader AS r WHERE r.keys && wanted AND r.token > fence_take_exclusive.token) THEN
            RAISE EXCEPTION 'lock lost: a newer shared holder is registered' USING ERRCODE = 'DBS01';
        END IF;
        PERFORM dbsync.fence_may_register(wanted, token);
        BEGIN
            IF is_same AND rows_found = 1 THEN
                UPDATE dbsync.fence AS t SET exclusive_token = token, shared_token = 0, seen_on = current_date WHERE t.keys = wanted;
            ELSE
                WITH gone AS (DELETE FROM dbsync.fence AS t WHERE t.keys && wanted RETURNING t.*)
                INSERT INTO dbsync.fence
                SELECT rest, gone.exclusive_token, gone.shared_token, gone.resource_id, gone.seen_on
                FROM gone, unnest(dbsync.key_multirange(gone.keys) - dbsync.key_multirange(wanted)) AS rest;
                INSERT INTO dbsync.fence VALUES (wanted, token, 0, dbsync.fence_resource(wanted));
            END IF;
            DELETE FROM dbsync.fence_reader AS r WHERE r.keys <@ wanted;
            RETURN;
        EXCEPTION WHEN exclusion_violation THEN
            NULL; -- somebody registered an overlapping range meanwhile: look at it
        END;
    END LOOP;
    RAISE EXCEPTION 'the fence of these keys kept changing' USING ERRCODE = 'serialization_failure';
END $$;

-- Internal: one range, shared. Shared holders lock the rows FOR SHARE and don't wait for each other. Only the first one after an exclusive
-- holder, or where no row is yet, writes to dbsync.fence.
CREATE FUNCTION dbsync.fence_take_shared(wanted dbsync.key_range, token bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    f dbsync.fence;
    rows_found dbsync.fence[];
    covered dbsync.key_multirange;
    must_write boolean;
    seen date;
BEGIN
    FOR attempt IN 1..10 LOOP
        -- A look without locks decides which lock to take: two holders raising a share lock to an update lock would wait for each other.
        SELECT coalesce(range_agg(t.keys), dbsync.key_multirange()),
               coalesce(bool_or(t.exclusive_token > 0 AND t.shared_token = 0), false)
        INTO covered, must_write FROM dbsync.fence AS t WHERE t.keys && wanted;
        must_write := must_write OR NOT covered @> wanted;

        covered := dbsync.key_multirange();
        IF must_write THEN
            rows_found := ARRAY(SELECT t FROM dbsync.fence AS t WHERE t.keys && wanted ORDER BY t.keys FOR UPDATE);
        ELSE
            rows_found := ARRAY(SELECT t FROM dbsync.fence AS t WHERE t.keys && wanted ORDER BY t.keys FOR SHARE);
        END IF;
        FOREACH f IN ARRAY rows_found LOOP
            IF f.exclusive_token > token THEN
                RAISE EXCEPTION 'lock lost: a newer holder is registered' USING ERRCODE = 'DBS01';
            END IF;
            covered := covered + dbsync.key_multirange(f.keys);
            must_write := must_write OR (f.exclusive_token > 0 AND f.shared_token = 0);
        END LOOP;
        IF NOT must_write AND covered @> wanted THEN
            SELECT r.seen_on INTO seen FROM dbsync.fence_reader AS r
            WHERE r.keys @> wanted AND r.token >= fence_take_shared.token ORDER BY r.seen_on DESC LIMIT 1;
            IF seen = current_date THEN RETURN; END IF;
            IF seen IS NOT NULL THEN -- known, but not seen today: once a day it is written
                UPDATE dbsync.fence_reader AS r SET seen_on = current_date WHERE r.ctid = ANY (ARRAY(
                    SELECT o.ctid FROM dbsync.fence_reader AS o
                    WHERE o.keys @> wanted AND o.token >= fence_take_shared.token FOR UPDATE SKIP LOCKED));
                RETURN;
            END IF;
        END IF;
        PERFORM dbsync.fence_may_register(wanted, token);
        BEGIN
            -- The inner parts of what an exclusive holder registered are marked, the outer parts keep their tokens.
            WITH gone AS (
                DELETE FROM dbsync.fence AS t WHERE t.keys && wanted AND t.exclusive_token > 0 AND t.shared_token = 0 RETURNING t.*)
            INSERT INTO dbsync.fence
            SELECT rest, gone.exclusive_token, 0, gone.resource_id, gone.seen_on
            FROM gone, unnest(dbsync.key_multirange(gone.keys) - dbsync.key_multirange(wanted)) AS rest
            UNION ALL
            SELECT gone.keys * wanted, gone.exclusive_token, token, gone.resource_id, current_date FROM gone;
            INSERT INTO dbsync.fence
            SELECT gap, 0, 0, dbsync.fence_resource(wanted) FROM unnest(dbsync.key_multirange(wanted) - covered) AS gap;
            INSERT INTO dbsync.fence_reader VALUES (wanted, token, dbsync.fence_resource(wanted));
            -- The newest token of a range says all that the older ones said. What another transaction is removing is left to it.
            DELETE FROM dbsync.fence_reader AS r WHERE r.ctid = ANY (ARRAY(
                SELECT o.ctid FROM dbsync.fence_reader AS o
                WHERE o.keys = wanted AND o.token < fence_take_shared.token FOR UPDATE SKIP LOCKED));
            RETURN;
        EXCEPTION WHEN exclusion_violation THEN
            NULL;
        END;
    END LOOP;
    RAISE EXCEPTION 'the fence of these keys kept changing' USING ERRCODE = 'serialization_failure';
END $$;

-- Proves and registers an exclusive lock on the ranges [low[i], high[i]); first statement of a guarded transaction, or alone in one.
CREATE FUNCTION dbsync.fence_exclusive(resource text, token bigint, low bytea[], high bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted dbsync.key_range;
BEGIN
    FOREACH wanted IN ARRAY dbsync.fence_enter(resource, token, low, high) LOOP
        PERFORM dbsync.fence_take_exclusive(wanted, token);
    END LOOP;
END $$;

-- The same for a shared lock.
CREATE FUNCTION dbsync.fence_shared(resource text, token bigint, low bytea[], high bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted dbsync.key_range;
BEGIN
    FOREACH wanted IN ARRAY dbsync.fence_enter(resource, token, low, high) LOOP
        PERFORM dbsync.fence_take_shared(wanted, token);
    END LOOP;
END $$;

-- Forgets up to 2,000 rows that nobody has proved a lock by for more than two days, and what is left of other epochs. Never a token that is as
-- new as one in use: so the floor harms nobody who proves his lock at least every two days, and one forged, enormous token stays where it
-- is. Takes no argument that could be forged, so everyone who may lock may call it: the fence's callers do, now and then. Returns the rows removed.
CREATE FUNCTION dbsync.fence_trim(resource text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
    oldest_in_use bigint;
    removed bigint;
BEGIN
    SELECT r.id, r.epoch << 40 AS first_token INTO found FROM dbsync.lock_resource AS r WHERE r.name = resource;
    IF found.id IS NULL OR NOT pg_try_advisory_xact_lock(1145193300, found.id) THEN RETURN 0; END IF;
    SELECT min(s.token) INTO oldest_in_use FROM (
        SELECT greatest(t.exclusive_token, t.shared_token) AS token FROM dbsync.fence AS t
        WHERE t.resource_id = found.id AND t.seen_on >= current_date - 2
        UNION ALL
        SELECT r.token FROM dbsync.fence_reader AS r WHERE r.resource_id = found.id AND r.seen_on >= current_date - 2) AS s
    WHERE s.token >= found.first_token;
    WITH old AS (
        SELECT t.ctid FROM dbsync.fence AS t
        WHERE t.resource_id = found.id AND t.seen_on < current_date - 2
          AND greatest(t.exclusive_token, t.shared_token) < coalesce(oldest_in_use, found.first_token)
        ORDER BY t.seen_on LIMIT 1000 FOR UPDATE SKIP LOCKED),
    old_readers AS (
        SELECT r.ctid FROM dbsync.fence_reader AS r
        WHERE r.resource_id = found.id AND r.seen_on < current_date - 2 AND r.token < coalesce(oldest_in_use, found.first_token)
        ORDER BY r.seen_on LIMIT 1000 FOR UPDATE SKIP LOCKED),
    gone AS (
        DELETE FROM dbsync.fence AS t USING old WHERE t.ctid = old.ctid RETURNING greatest(t.exclusive_token, t.shared_token) AS token),
    gone_readers AS (
        DELETE FROM dbsync.fence_reader AS r USING old_readers WHERE r.ctid = old_readers.ctid RETURNING r.token),
    forgotten AS (SELECT g.token FROM gone AS g UNION ALL SELECT g.token FROM gone_readers AS g),
    raised AS (
        INSERT INTO dbsync.fence_floor AS f
        SELECT found.id, max(g.token) FROM forgotten AS g HAVING count(*) > 0
        ON CONFLICT (resource_id) DO UPDATE SET token = greatest(f.token, excluded.token))
    SELECT count(*) INTO removed FROM forgotten;
    RETURN removed;
END $$;

-- For the owner: forgets at once what is known of other epochs, and of tokens below `floor`, the smallest token still held; refuses the latter
-- from now on. Returns the rows removed.
CREATE FUNCTION dbsync.fence_prune(resource text, floor bigint DEFAULT 0) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
    removed bigint;
    removed_readers bigint;
BEGIN
    SELECT r.id, r.epoch INTO found FROM dbsync.lock_resource AS r WHERE r.name = resource;
    IF found.id IS NULL THEN RETURN 0; END IF;
    floor := greatest(found.epoch << 40, least(floor, (found.epoch << 40) | 1099511627775));
    INSERT INTO dbsync.fence_floor AS f VALUES (found.id, floor - 1)
    ON CONFLICT (resource_id) DO UPDATE SET token = greatest(f.token, excluded.token);
    DELETE FROM dbsync.fence AS t WHERE t.resource_id = found.id AND t.exclusive_token < floor AND t.shared_token < floor;
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM dbsync.fence_reader AS r WHERE r.resource_id = found.id AND r.token < floor;
    GET DIAGNOSTICS removed_readers = ROW_COUNT;
    RETURN removed + removed_readers;
END $$;

REVOKE ALL ON dbsync.lock_resource, dbsync.fence, dbsync.fence_reader, dbsync.fence_floor FROM PUBLIC;
REVOKE ALL ON FUNCTION dbsync.lock_epoch(text), dbsync.lock_epoch_advance(text, bigint),
    dbsync.fence_enter(text, bigint, bytea[], bytea[]), dbsync.fence_resource(dbsync.key_range),
    dbsync.fence_may_register(dbsync.key_range, bigint),
    dbsync.fence_take_exclusive(dbsync.key_range, bigint), dbsync.fence_take_shared(dbsync.key_range, bigint),
    dbsync.fence_exclusive(text, bigint, bytea[], bytea[]), dbsync.fence_shared(text, bigint, bytea[], bytea[]),
    dbsync.fence_trim(text), dbsync.fence_prune(text, bigint) FROM PUBLIC;

-- Who may use locks. The role is made elsewhere; where it isn't wanted, an administrator grants the same to the application's own role.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dbsync_app') THEN
        GRANT USAGE ON SCHEMA dbsync TO dbsync_app;
        GRANT EXECUTE ON FUNCTION dbsync.lock_epoch(text), dbsync.lock_epoch_advance(text, bigint),
            dbsync.fence_exclusive(text, bigint, bytea[], bytea[]), dbsync.fence_shared(text, bigint, bytea[], bytea[]),
            dbsync.fence_trim(text) TO dbsync_app;
    END IF;
END $$;
