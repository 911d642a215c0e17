namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>A kind of table or transaction that must arrive unharmed: what is there before, and what is done to it, twice.</summary>
/// <param name="Name">What the case is about.</param>
/// <param name="Schema">The tables with their first rows.</param>
/// <param name="Tables">What is published.</param>
/// <param name="Workload">Statements that can run again and again, each in a transaction of its own; <c>{r}</c> is the round.</param>
public sealed record Shape(string Name, string Schema, string Tables, params string[] Workload)
{
    /// <summary>What is done to the publication before the node runs.</summary>
    public string? BeforeRun { get; init; }

    public override string ToString() => Name;

    private const string Identities =
        """
        CREATE TABLE by_key (id int PRIMARY KEY, a text, big text);
        CREATE TABLE by_index (id int, code text NOT NULL, part int NOT NULL, big text, UNIQUE (part, code)); ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_part_code_key;
        CREATE TABLE by_full_keyed (id int, sub text, a text, big text, PRIMARY KEY (sub, id)); ALTER TABLE by_full_keyed REPLICA IDENTITY FULL;
        CREATE TABLE by_full (id int, a text, big text); ALTER TABLE by_full REPLICA IDENTITY FULL;
        ALTER TABLE by_key ALTER big SET STORAGE EXTERNAL; ALTER TABLE by_index ALTER big SET STORAGE EXTERNAL;
        ALTER TABLE by_full_keyed ALTER big SET STORAGE EXTERNAL; ALTER TABLE by_full ALTER big SET STORAGE EXTERNAL;
        INSERT INTO by_key SELECT g, 'a', repeat(chr(65 + g % 20), 3000 + g) FROM generate_series(1, 60) g;
        INSERT INTO by_index SELECT g, 'c' || g, g % 7, repeat(chr(65 + g % 20), 3000 + g) FROM generate_series(1, 60) g;
        INSERT INTO by_full_keyed SELECT g, 's' || g % 5, 'a', repeat(chr(65 + g % 20), 3000 + g) FROM generate_series(1, 60) g;
        INSERT INTO by_full SELECT g % 10, 'a', repeat(chr(65 + g % 20), 3000 + g % 10) FROM generate_series(1, 60) g;
        """;

    public static readonly Shape[] All =
    [
        new("every replica identity, with large values that do not change", Identities, "by_key, by_index, by_full_keyed, by_full",
            "UPDATE by_key SET a = 'b{r}' WHERE id % 2 = 0; UPDATE by_key SET id = id + 1000 WHERE id % 5 = {r}; UPDATE by_key SET big = NULL WHERE id % 7 = {r}",
            "UPDATE by_index SET id = -id WHERE id % 2 = 0; UPDATE by_index SET code = code || '{r}' WHERE id % 5 = {r}; UPDATE by_index SET part = part + 10, big = big || 'x' WHERE id % 9 = {r}",
            "UPDATE by_full_keyed SET a = 'b{r}' WHERE id % 2 = 0; UPDATE by_full_keyed SET sub = sub || '{r}' WHERE id % 5 = {r}; DELETE FROM by_full_keyed WHERE id % 11 = {r}",
            "UPDATE by_full SET a = 'b{r}' WHERE id % 2 = 0; UPDATE by_full SET id = id + 100 WHERE id % 5 = {r}; DELETE FROM by_full WHERE id = 3",
            "DELETE FROM by_key WHERE id % 13 = {r}; DELETE FROM by_index WHERE abs(id) % 13 = {r}; INSERT INTO by_key VALUES ({r} + 5000, 'new', repeat('n', 9000))"),

        new("rows without a key, equal to each other and full of NULLs",
            """
            CREATE TABLE bag (a int, b text, c numeric, d float8, e timestamptz, f bytea); ALTER TABLE bag REPLICA IDENTITY FULL;
            INSERT INTO bag SELECT nullif(g % 3, 0), nullif('b' || g % 2, 'b0'), nullif(g % 2, 1)::numeric / 4, nullif(g % 2, 0)::float8 / 3, NULL, nullif('\x00'::bytea, '\x') FROM generate_series(1, 300) g;
            """,
            "bag",
            "INSERT INTO bag SELECT a, b, c, d, e, f FROM bag LIMIT 50",
            "INSERT INTO bag DEFAULT VALUES; INSERT INTO bag DEFAULT VALUES; DELETE FROM bag WHERE ctid = (SELECT ctid FROM bag WHERE a IS NULL AND b IS NULL LIMIT 1)",
            "UPDATE bag SET b = 'moved {r}' WHERE ctid IN (SELECT ctid FROM bag WHERE a = 1 LIMIT 20)",
            "UPDATE bag SET a = a",
            "DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = 2 LIMIT 30); UPDATE bag SET d = '-0'::float8, c = 1.10 WHERE c IS NULL"),

        new("truncates of several tables, with cascade, before and after rows",
            """
            CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent); CREATE TABLE beside (id int PRIMARY KEY);
            CREATE TABLE hidden (id int PRIMARY KEY, parent_id int REFERENCES parent);
            INSERT INTO parent SELECT generate_series(1, 500); INSERT INTO child SELECT g, g FROM generate_series(1, 500) g; INSERT INTO beside SELECT generate_series(1, 500);
            """,
            "parent, child, beside",
            "INSERT INTO beside VALUES (1000 + {r}); TRUNCATE beside; INSERT INTO beside VALUES (2000 + {r})",
            "TRUNCATE parent CASCADE; INSERT INTO parent SELECT generate_series(1, 20); INSERT INTO child SELECT g, g FROM generate_series(1, 20) g",
            "SAVEPOINT a; TRUNCATE parent, child, beside, hidden; ROLLBACK TO a; DELETE FROM child WHERE id = {r}",
            "TRUNCATE ONLY hidden; TRUNCATE beside, child RESTART IDENTITY; INSERT INTO child VALUES (7, 7)"),

        new("savepoints, rollbacks and transactions without effect",
            "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE unpublished (id int); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 100) g",
            "t",
            "SAVEPOINT a; DELETE FROM t; SAVEPOINT b; INSERT INTO t VALUES (1, 'x'); ROLLBACK TO b; ROLLBACK TO a; UPDATE t SET v = 'kept {r}' WHERE id < 10",
            "SAVEPOINT a; UPDATE t SET v = 'one' WHERE id = 20; RELEASE a; SAVEPOINT a; UPDATE t SET v = 'two' WHERE id = 21; ROLLBACK TO a; UPDATE t SET id = id + 1000 WHERE id = 22 + {r}",
            "INSERT INTO unpublished VALUES (1)",
            "SELECT 1",
            "DELETE FROM t; ROLLBACK; BEGIN",
            "UPDATE t SET v = 'a' WHERE id = 50; UPDATE t SET v = 'b' WHERE id = 50; DELETE FROM t WHERE id = 50; INSERT INTO t VALUES (50, 'c')"),

        new("names that SQL would rather not see",
            """
            CREATE SCHEMA "Sp ace;DROP"; CREATE SCHEMA "Ünï.code";
            CREATE TABLE "Sp ace;DROP"."Ta""ble'--" ("Col ""umn" int, "select" text, "rowid" int, "a.b" text, "😀" text, "it's" int PRIMARY KEY);
            CREATE TABLE "Ünï.code"."Größe" ("oid" int, "_rowid_" int, "KEY" text PRIMARY KEY, "xmin_" text);
            CREATE TABLE "MixedCase" ("Id" int PRIMARY KEY, "createdAt" timestamptz);
            CREATE TABLE "with space" ("rowid" int, "oid" text); ALTER TABLE "with space" REPLICA IDENTITY FULL;
            CREATE INDEX "in""dex" ON "Sp ace;DROP"."Ta""ble'--" ("select" DESC, "a.b"); CREATE INDEX "MixedCase" ON "Ünï.code"."Größe" ("oid");
            INSERT INTO "Sp ace;DROP"."Ta""ble'--" SELECT g, '; DROP TABLE x', g, 'b', '😀', g FROM generate_series(1, 50) g;
            INSERT INTO "Ünï.code"."Größe" SELECT g, g, 'k' || g, NULL FROM generate_series(1, 50) g;
            INSERT INTO "MixedCase" SELECT g, now() FROM generate_series(1, 50) g; INSERT INTO "with space" SELECT g % 3, 'o' FROM generate_series(1, 50) g;
            """,
            "\"Sp ace;DROP\".\"Ta\"\"ble'--\", \"Ünï.code\".\"Größe\", \"MixedCase\", \"with space\"",
            "UPDATE \"Sp ace;DROP\".\"Ta\"\"ble'--\" SET \"it's\" = \"it's\" + 100, \"select\" = '''' || {r} WHERE \"it's\" % 5 = {r}; DELETE FROM \"Sp ace;DROP\".\"Ta\"\"ble'--\" WHERE \"it's\" % 7 = {r}",
            "UPDATE \"Ünï.code\".\"Größe\" SET \"KEY\" = \"KEY\" || 'ü', \"oid\" = 0 WHERE \"oid\" % 4 = {r}; UPDATE \"MixedCase\" SET \"createdAt\" = NULL WHERE \"Id\" = {r}",
            "UPDATE \"with space\" SET \"rowid\" = 9 WHERE ctid = (SELECT ctid FROM \"with space\" WHERE \"rowid\" = 1 LIMIT 1); DELETE FROM \"with space\" WHERE ctid = (SELECT ctid FROM \"with space\" WHERE \"rowid\" = 2 LIMIT 1)"),

        new("a partitioned table, as one, with rows that move between its parts",
            """
            CREATE TABLE event (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
            CREATE TABLE event_old PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
            CREATE TABLE event_new (v text, extra_gone int, at date NOT NULL, id int NOT NULL); ALTER TABLE event_new DROP COLUMN extra_gone; ALTER TABLE event ATTACH PARTITION event_new FOR VALUES FROM ('2024-01-01') TO ('2030-01-01');
            INSERT INTO event SELECT g, '2023-01-01'::date + g * 5, 'v' FROM generate_series(1, 200) g;
            """,
            "event",
            "UPDATE event SET at = at + 400 WHERE id % 9 = {r}",
            "UPDATE event SET v = 'late {r}' WHERE at > '2024-06-01'; DELETE FROM event WHERE id % 17 = {r}; UPDATE event SET id = id + 1000 WHERE id % 19 = {r}",
            "INSERT INTO event VALUES (5000 + {r}, '2021-01-01', 'again')",
            "CREATE TABLE IF NOT EXISTS event_next PARTITION OF event FOR VALUES FROM ('2030-01-01') TO ('2031-01-01'); INSERT INTO event VALUES (6000 + {r}, '2030-05-05', 'next')"),

        new("tables that are all key, keys in another order, generated and dropped columns",
            """
            CREATE TABLE only_key (a int, b text, PRIMARY KEY (b, a));
            CREATE TABLE generated (gone int, id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED, gone_too text, v text);
            ALTER TABLE generated DROP COLUMN gone, DROP COLUMN gone_too;
            CREATE TABLE covering (id int, extra text, UNIQUE (id) INCLUDE (extra)); ALTER TABLE covering ALTER id SET NOT NULL; ALTER TABLE covering REPLICA IDENTITY USING INDEX covering_id_extra_key;
            INSERT INTO only_key SELECT g, 'b' || g % 3 FROM generate_series(1, 50) g; INSERT INTO generated (n, v) SELECT g, 'v' FROM generate_series(1, 50) g; INSERT INTO covering SELECT g, 'e' FROM generate_series(1, 50) g;
            """,
            "only_key, generated, covering",
            "UPDATE only_key SET a = a + 100 WHERE a % 4 = {r}; UPDATE only_key SET b = 'z' WHERE a = 50; UPDATE only_key SET a = a; DELETE FROM only_key WHERE a % 9 = {r}",
            "INSERT INTO generated (n, v) VALUES ({r}, NULL); UPDATE generated SET n = -n WHERE id % 3 = {r}; DELETE FROM generated WHERE id % 8 = {r}",
            "UPDATE covering SET extra = 'f{r}' WHERE id % 2 = 0; UPDATE covering SET id = id + 100 WHERE id % 5 = {r}; DELETE FROM covering WHERE id % 6 = {r}"),

        new("transactions that are prepared first",
            "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 100) g",
            "t",
            "UPDATE t SET v = 'prepared {r}' WHERE id < 10; PREPARE TRANSACTION 'kept'; BEGIN; UPDATE t SET v = 'between' WHERE id = 50; COMMIT; COMMIT PREPARED 'kept'; BEGIN",
            "DELETE FROM t; PREPARE TRANSACTION 'gone'; ROLLBACK PREPARED 'gone'; BEGIN",
            "SAVEPOINT a; INSERT INTO t VALUES (1000 + {r}, 'sub'); RELEASE a; PREPARE TRANSACTION 'sub'; COMMIT PREPARED 'sub'; BEGIN"),

        new("text keys that differ by case, accent or trailing blank, under every kind of collation",
            """
            CREATE EXTENSION IF NOT EXISTS citext;
            CREATE COLLATION fr (provider = icu, locale = 'fr-FR'); CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
            CREATE TABLE in_c (k text COLLATE "C" PRIMARY KEY, v int); CREATE TABLE in_icu (k text COLLATE fr PRIMARY KEY, v int);
            CREATE TABLE in_loose (k text COLLATE loose PRIMARY KEY, v int); CREATE TABLE in_citext (k citext PRIMARY KEY, v int);
            CREATE TABLE in_char (k char(8) PRIMARY KEY, v int); CREATE TABLE in_pair (a text COLLATE fr, b citext, v int, PRIMARY KEY (b, a));
            INSERT INTO in_c SELECT k, 0 FROM unnest(ARRAY['', ' ', 'a', 'A', 'a ', 'a  ', 'á', U&'a\0301', 'Á', 'ß', 'ss', 'SS', 'İ', 'i', 'ı', 'I', E'a\t', U&'\FFFF', '😀']) AS k;
            INSERT INTO in_icu SELECT k, v FROM in_c; INSERT INTO in_char SELECT DISTINCT k::char(8), 0 FROM in_c;
            INSERT INTO in_loose VALUES ('Côte', 0), ('Péché', 0), ('straße', 0), ('b', 0), ('c ', 0);
            INSERT INTO in_citext SELECT k, 0 FROM in_c ON CONFLICT DO NOTHING; INSERT INTO in_pair SELECT k, k, 0 FROM in_c ON CONFLICT DO NOTHING;
            """,
            "in_c, in_icu, in_loose, in_citext, in_char, in_pair",
            "UPDATE in_c SET v = v + 1 WHERE k IN ('a', 'A', 'a ', 'SS'); UPDATE in_icu SET v = v + 1 WHERE k IN ('a', 'á', 'İ'); DELETE FROM in_c WHERE k = 'a  '; INSERT INTO in_c VALUES ('a  ', {r})",
            "UPDATE in_loose SET k = 'cote' WHERE k = 'Côte'; UPDATE in_loose SET v = v + 1 WHERE k = 'COTE'; UPDATE in_loose SET k = 'CÖTE' WHERE k = 'cote'; UPDATE in_loose SET k = upper(k), v = v + 1 WHERE k = 'straße'",
            "UPDATE in_citext SET k = upper(k::text) WHERE k = 'a' OR k = 'ss'; UPDATE in_citext SET v = v + 1, k = lower(k::text) WHERE k = 'A' OR k = 'SS'; DELETE FROM in_citext WHERE k = 'I'; INSERT INTO in_citext VALUES ('i', {r}) ON CONFLICT DO NOTHING",
            "UPDATE in_char SET v = v + 1 WHERE k = 'a'; UPDATE in_char SET k = k || 'x' WHERE k = 'ss'; UPDATE in_char SET k = 'ss' WHERE k = 'ssx'; UPDATE in_pair SET a = a || '{r}', v = v + 1 WHERE b = 'A'; UPDATE in_pair SET b = upper(b::text) WHERE a = 'á'"),

        new("numbers, bytes and times as keys: equal values written differently, and values beyond .NET's",
            """
            CREATE TABLE by_numeric (k numeric PRIMARY KEY, v int); INSERT INTO by_numeric VALUES (1, 0), (1.5, 0), (0, 0), ('NaN', 0), ('Infinity', 0), ('-Infinity', 0), (1e-40, 0), (repeat('9', 1000)::numeric, 0), (repeat('9', 1000)::numeric - 1, 0);
            CREATE TABLE by_float (k float8 PRIMARY KEY, v int); INSERT INTO by_float VALUES (0, 0), ('NaN', 0), ('Infinity', 0), ('-Infinity', 0), ('5e-324', 0), (1, 0), (0.1, 0), (0.1::float4, 0);
            CREATE TABLE by_bytes (k bytea PRIMARY KEY, v int); INSERT INTO by_bytes VALUES ('', 0), ('\x00', 0), ('\x0000', 0), ('\xff', 0), ('a', 0);
            CREATE TABLE by_all (n numeric, t timestamptz, d date, u uuid, i interval, b bytea, PRIMARY KEY (n, t, d, u, i, b));
            INSERT INTO by_all SELECT g, CASE g % 3 WHEN 0 THEN 'infinity'::timestamptz ELSE '2024-01-01 00:00:00.1+00' END, CASE g % 4 WHEN 0 THEN '-infinity'::date WHEN 1 THEN '0044-03-15 BC' ELSE '2024-02-29' END, md5('x' || g % 2)::uuid,
                CASE g % 3 WHEN 0 THEN '1 mon'::interval ELSE '-1 day' END, decode(md5(g::text), 'hex') FROM generate_series(1, 60) g;
            """,
            "by_numeric, by_float, by_bytes, by_all",
            "UPDATE by_numeric SET k = 1.0 WHERE k = 1; UPDATE by_numeric SET v = v + 1 WHERE k = 1.00; UPDATE by_numeric SET k = 1.000 WHERE k = 1; UPDATE by_numeric SET v = v + 1 WHERE k = 'NaN' OR k = 'Infinity' OR k > 1e900; UPDATE by_numeric SET k = 1 WHERE k = 1",
            "UPDATE by_float SET k = '-0' WHERE k = 0; UPDATE by_float SET v = v + 1 WHERE k = 0 OR k = 'NaN'; UPDATE by_float SET k = 0 WHERE k = 0; DELETE FROM by_float WHERE k = 'Infinity'; INSERT INTO by_float VALUES ('Infinity', {r})",
            @"UPDATE by_bytes SET v = v + 1 WHERE k = '\x00'; UPDATE by_bytes SET k = k || '\x00' WHERE k = 'a'; DELETE FROM by_bytes WHERE k = 'a\000'; INSERT INTO by_bytes VALUES ('a', {r})",
            "UPDATE by_all SET n = n * 1.0 WHERE n < 10; UPDATE by_all SET t = 'infinity' WHERE n % 7 = {r}; UPDATE by_all SET i = '30 days' WHERE i = '1 mon' AND n % 2 = 0; DELETE FROM by_all WHERE n % 11 = {r}"),

        new("keys that swap and go round in one transaction, with constraints that are checked at its end",
            """
            CREATE TABLE ring (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, next int REFERENCES ring DEFERRABLE INITIALLY DEFERRED);
            CREATE TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v text); ALTER TABLE late REPLICA IDENTITY FULL;
            INSERT INTO ring SELECT g, g, g % 30 + 1 FROM generate_series(1, 30) g; INSERT INTO late SELECT g, 'v' || g FROM generate_series(1, 30) g;
            """,
            "ring, late",
            "UPDATE ring SET id = -1 WHERE id = 1; UPDATE ring SET id = 1 WHERE id = 2; UPDATE ring SET id = 2 WHERE id = -1; UPDATE ring SET place = 31 - place",
            "UPDATE ring SET id = -id WHERE id <= 3; UPDATE ring SET id = CASE id WHEN -1 THEN 2 WHEN -2 THEN 3 ELSE 1 END WHERE id < 0",
            "UPDATE late SET id = CASE id WHEN 1 THEN 2 WHEN 2 THEN 3 ELSE 1 END WHERE id <= 3; UPDATE late SET id = id + 1 WHERE id > 10; UPDATE late SET id = id - 1 WHERE id > 10",
            "DELETE FROM ring WHERE id = 5; INSERT INTO ring VALUES (5, 100 + {r}, 6); DELETE FROM late WHERE id = 7; INSERT INTO late VALUES (7, 'again {r}')"),

        new("a table that others inherit from, and those",
            """
            CREATE TABLE base (id int PRIMARY KEY, v text); CREATE TABLE derived (extra text, PRIMARY KEY (id)) INHERITS (base); CREATE TABLE third (PRIMARY KEY (id)) INHERITS (derived);
            INSERT INTO base SELECT g, 'base' FROM generate_series(1, 50) g; INSERT INTO derived SELECT g, 'derived', 'x' FROM generate_series(51, 100) g; INSERT INTO third SELECT g, 'third', 'y' FROM generate_series(1, 20) g;
            """,
            "base",
            "UPDATE base SET v = v || '{r}' WHERE id % 5 = 0; DELETE FROM base WHERE id % 13 = {r}; UPDATE ONLY base SET id = id + 1000 WHERE id % 7 = {r}",
            "INSERT INTO derived VALUES (500 + {r}, 'new', 'z'); UPDATE derived SET extra = NULL WHERE id % 3 = 0; TRUNCATE ONLY third; INSERT INTO third VALUES (1, 'once', 'more')"),

        new("1,600 columns",
            $"CREATE TABLE wide (id int PRIMARY KEY, {string.Join(", ", Enumerable.Range(1, 1599).Select(i => $"c{i} {(i % 3 == 0 ? "bool" : i % 3 == 1 ? "\"char\"" : "int2")}"))}); "
            + "INSERT INTO wide (id, c1, c2, c1599) SELECT g, 'x', g, true FROM generate_series(1, 30) g",
            "wide",
            "UPDATE wide SET c2 = c2 + 1, c1598 = {r} WHERE id % 2 = 0; UPDATE wide SET id = id + 100 WHERE id % 5 = {r}; DELETE FROM wide WHERE id % 9 = {r}; INSERT INTO wide (id, c1500) VALUES (1000 + {r}, true)"),

        new("row filters and column lists, with rows that cross the filter",
            """
            CREATE TABLE filtered (id int, n int, big text, secret text, PRIMARY KEY (id, n)); ALTER TABLE filtered ALTER big SET STORAGE EXTERNAL;
            CREATE TABLE full_filtered (id int PRIMARY KEY, n int, big text); ALTER TABLE full_filtered REPLICA IDENTITY FULL; ALTER TABLE full_filtered ALTER big SET STORAGE EXTERNAL;
            CREATE TABLE listed (secret text, id int PRIMARY KEY, "b B" text, c int);
            INSERT INTO filtered SELECT g, g % 10, repeat('b', 3000), 'secret' FROM generate_series(1, 100) g; INSERT INTO full_filtered SELECT g, g % 10, repeat('f', 3000) FROM generate_series(1, 100) g;
            INSERT INTO listed SELECT 'secret', g, 'b', g FROM generate_series(1, 100) g;
            """,
            "filtered WHERE (n > 4), full_filtered WHERE (n > 4 AND n < 100), listed (id, \"b B\")",
            "UPDATE filtered SET n = n + 3 WHERE id % 4 = {r}; UPDATE filtered SET n = n - 3 WHERE id % 5 = {r}; UPDATE filtered SET secret = 'other'; DELETE FROM filtered WHERE id % 17 = {r}; UPDATE filtered SET big = 'small' WHERE id % 19 = {r}",
            "UPDATE full_filtered SET n = n + 3 WHERE id % 4 = {r}; UPDATE full_filtered SET n = n - 3 WHERE id % 5 = {r}; UPDATE full_filtered SET n = 200 WHERE id % 23 = {r}; DELETE FROM full_filtered WHERE id % 17 = {r}; INSERT INTO full_filtered VALUES (1000 + {r}, 1, 'out'), (2000 + {r}, 9, 'in')",
            "UPDATE listed SET secret = 'new', c = 7; UPDATE listed SET \"b B\" = 'b{r}' WHERE id % 3 = 0; UPDATE listed SET id = id + 1000 WHERE id % 9 = {r}; DELETE FROM listed WHERE id % 11 = {r}"),

        new("everything that is permanent, in several schemas, and nothing that is not",
            """
            CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.t (id int PRIMARY KEY, v text); CREATE TABLE two.t (id int PRIMARY KEY, v text); CREATE TABLE t (id int PRIMARY KEY, v text);
            CREATE UNLOGGED TABLE one.unlogged (id int PRIMARY KEY); CREATE VIEW one.view AS SELECT * FROM one.t; CREATE MATERIALIZED VIEW two.stored AS SELECT * FROM two.t; CREATE SEQUENCE two.numbers;
            INSERT INTO one.t SELECT g, 'one' FROM generate_series(1, 40) g; INSERT INTO two.t SELECT g, 'two' FROM generate_series(1, 40) g; INSERT INTO t SELECT g, 'three' FROM generate_series(1, 40) g;
            """,
            "t",
            "UPDATE one.t SET v = v || '{r}' WHERE id % 3 = {r}; INSERT INTO one.unlogged VALUES ({r}); DELETE FROM two.t WHERE id % 7 = {r}; REFRESH MATERIALIZED VIEW two.stored; SELECT nextval('two.numbers')",
            "CREATE TEMPORARY TABLE passing (id int) ON COMMIT DROP; INSERT INTO passing VALUES (1); UPDATE t SET id = id + 100 WHERE id % 5 = {r}; TRUNCATE one.unlogged")
        { BeforeRun = "DROP PUBLICATION dbsync_main; CREATE PUBLICATION dbsync_main FOR ALL TABLES WITH (publish_via_partition_root = true)" },

        new("partitions one by one, with rows that move between them",
            """
            CREATE TABLE event (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
            CREATE TABLE event_old PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
            CREATE TABLE event_new (v text, gone int, at date NOT NULL, id int NOT NULL); ALTER TABLE event_new DROP COLUMN gone; ALTER TABLE event ATTACH PARTITION event_new FOR VALUES FROM ('2024-01-01') TO ('2030-01-01');
            INSERT INTO event SELECT g, '2023-01-01'::date + g * 5, 'v' FROM generate_series(1, 200) g;
            """,
            "event",
            "UPDATE event SET at = at + 400 WHERE id % 9 = {r}; UPDATE event SET at = at - 500 WHERE id % 11 = {r}",
            "UPDATE event SET v = 'late {r}' WHERE at > '2024-06-01'; DELETE FROM event WHERE id % 17 = {r}; INSERT INTO event VALUES (5000 + {r}, '2021-01-01', 'again')",
            "TRUNCATE event_old; INSERT INTO event VALUES (7000 + {r}, '2022-02-02', 'after')")
        { BeforeRun = "ALTER PUBLICATION dbsync_main SET (publish_via_partition_root = false)" },
    ];
}
