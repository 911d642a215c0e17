namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>A kind of table or transaction that must arrive unharmed: what is there before, and what is done to it, twice.</summary>
/// <param name="Name">What the case is about.</param>
/// <param name="Schema">The tables with their first rows.</param>
/// <param name="Tables">What is published.</param>
/// <param name="Workload">Statements that can run again and again, each in a transaction of its own; <c>{r}</c> is the round.</param>
public sealed record Shape(string Name, string Schema, string Tables, params string[] Workload)
{
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
    ];
}
