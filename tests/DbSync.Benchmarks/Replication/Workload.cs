using System.Globalization;

namespace DbSync.Benchmarks.Replication;

/// <summary>What is written: table W, pgbench's tables, and two small ones to wait on.</summary>
internal static class Workload
{
    public const string Orders =
        """
        CREATE TABLE orders (
            id bigint PRIMARY KEY, customer_id bigint NOT NULL, status text NOT NULL, amount numeric NOT NULL,
            created_at timestamptz NOT NULL, payload jsonb NOT NULL);
        """;

    /// <summary>pgbench's history has no key: a table like that is published only with its whole row as identity.</summary>
    public const string Everything = Orders +
        """
        CREATE TABLE marker (id bigint PRIMARY KEY);
        CREATE TABLE ping (id bigint PRIMARY KEY);
        CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
        CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
        CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
        CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
        ALTER TABLE pgbench_history REPLICA IDENTITY FULL;
        """;

    public const string AllTables = "orders, marker, ping, pgbench_branches, pgbench_tellers, pgbench_accounts, pgbench_history";

    /// <summary>Procedures on the primary that write a backlog without a round trip for each transaction.</summary>
    public const string Writers =
        """
        CREATE PROCEDURE write_orders(first bigint, total bigint, each bigint) LANGUAGE plpgsql AS $$
        DECLARE id bigint := first;
        BEGIN
            WHILE id < first + total LOOP
                INSERT INTO orders SELECT * FROM order_rows(id, least(each, first + total - id));
                COMMIT;
                id := id + each;
            END LOOP;
        END $$;

        CREATE PROCEDURE write_pings(per_second int) LANGUAGE plpgsql AS $$
        DECLARE id bigint := coalesce((SELECT min(ping.id) FROM ping), 0); due timestamptz := clock_timestamp(); pause float;
        BEGIN
            LOOP
                id := least(id, 0) - 1;
                INSERT INTO ping VALUES (id);
                COMMIT;
                due := due + interval '1 second' / per_second;
                pause := extract(epoch FROM due - clock_timestamp());
                IF pause > 0 THEN PERFORM pg_sleep(pause); END IF;
            END LOOP;
        END $$;

        CREATE PROCEDURE write_tpcb(total int, scale int) LANGUAGE plpgsql AS $$
        DECLARE a int; t int; b int; d int;
        BEGIN
            FOR i IN 1..total LOOP
                a := 1 + floor(random() * 100000 * scale);
                t := 1 + floor(random() * 10 * scale);
                b := 1 + floor(random() * scale);
                d := floor(random() * 10000) - 5000;
                UPDATE pgbench_accounts SET abalance = abalance + d WHERE aid = a;
                UPDATE pgbench_tellers SET tbalance = tbalance + d WHERE tid = t;
                UPDATE pgbench_branches SET bbalance = bbalance + d WHERE bid = b;
                INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (t, b, a, d, now());
                COMMIT;
            END LOOP;
        END $$;
        """;

    /// <summary>Rows of table W, 166 to 177 bytes each on the wire.</summary>
    public const string OrderRows =
        """
        CREATE FUNCTION order_rows(first bigint, total bigint) RETURNS SETOF orders LANGUAGE sql AS $$
            SELECT g, g * 7919 % 100003, (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + g % 4], (g % 100000) / 100.0,
                timestamptz '2026-01-01 00:00:00+00' + g * interval '1.000137 second',
                jsonb_build_object('sku', 'SKU-' || g % 10007, 'quantity', g % 9 + 1, 'note', md5(g::text))
            FROM generate_series(first, first + total - 1) AS g
        $$;
        """;

    public static string FillPgbench(int scale) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        INSERT INTO pgbench_branches SELECT g, 0 FROM generate_series(1, {scale}) AS g;
        INSERT INTO pgbench_tellers SELECT g, (g - 1) / 10 + 1, 0 FROM generate_series(1, {10 * scale}) AS g;
        INSERT INTO pgbench_accounts SELECT g, (g - 1) / 100000 + 1, 0, '' FROM generate_series(1, {100_000 * scale}) AS g;
        """);

    public static string FillOrders(long rows) => string.Create(
        CultureInfo.InvariantCulture, $"INSERT INTO orders SELECT * FROM order_rows(1, {rows})");
}
