using System.Collections.Concurrent;
using DbSync.Postgres.Planning;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Schema;

/// <summary>What a plan says of a migration is what a replica then does.</summary>
[Trait("Needs", "Server")]
public sealed class PlanMigrationTests(PostgresFixture postgres)
{
    private const string Tables =
        """
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad'); CREATE TYPE alone AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (VALUE < 1000000);
        CREATE TABLE t (id bigint PRIMARY KEY, v varchar(20), n int, m mood, moods mood[], s small, "Case" text);
        INSERT INTO t SELECT g, 'v' || g, g % 7, 'ok', '{sad}', g, 'c' FROM generate_series(1, 300) g;
        CREATE TABLE u (id int PRIMARY KEY, v text, code text NOT NULL, m alone); INSERT INTO u SELECT g, 'u', 'c' || g, 'sad' FROM generate_series(1, 100) g;
        CREATE TABLE part (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE part_a PARTITION OF part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); INSERT INTO part SELECT g, '2020-05-05', 'v' FROM generate_series(1, 100) g;
        CREATE TABLE part_b (id int NOT NULL, at date NOT NULL, v text, PRIMARY KEY (id, at)); INSERT INTO part_b SELECT g, '2022-05-05', 'c' FROM generate_series(1, 50) g;
        CREATE SCHEMA other;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static readonly (string Change, string Expected)[] Changes =
    [
        ("ALTER TABLE t ADD COLUMN c int", "t Instant"),
        ("ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 7, ADD COLUMN d timestamptz DEFAULT now()", "t Instant"),
        ("ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid()", "t Copy"),
        ("ALTER TABLE t ADD COLUMN c bigint GENERATED ALWAYS AS IDENTITY", "t Copy"),
        ("ALTER TABLE t ADD COLUMN c int GENERATED ALWAYS AS (n * 2) STORED", "t Copy"),
        ("ALTER TABLE t DROP COLUMN v", "t Instant"),
        ("ALTER TABLE t RENAME COLUMN v TO w", "t Instant"),
        ("ALTER TABLE t ALTER COLUMN v TYPE varchar(40)", "t Instant"),
        ("ALTER TABLE t ALTER COLUMN v TYPE text", "t Instant"),
        ("ALTER TABLE t ALTER COLUMN n TYPE bigint", "t Copy"),
        ("ALTER TABLE t ALTER COLUMN v TYPE bytea USING convert_to(v, 'UTF8')", "t Copy"),
        ("ALTER TABLE t ALTER COLUMN n SET NOT NULL", ""),
        ("ALTER TABLE t ALTER COLUMN n SET DEFAULT 5", ""),
        ("ALTER TABLE t RENAME TO tt", "t Instant"),
        ("ALTER TABLE t SET SCHEMA other", "t Instant"),
        ("DROP TABLE u", "u Instant"),
        ("DROP TABLE u; CREATE TABLE u (id int PRIMARY KEY, w text)", "u Instant; u new"),
        ("CREATE TABLE fresh (id int PRIMARY KEY)", "fresh new"),
        ("CREATE TABLE keyless (a int)", ""),
        ("ALTER TABLE u DROP CONSTRAINT u_pkey, ADD PRIMARY KEY (code)", "u Rewrite"),
        ("ALTER TABLE u DROP CONSTRAINT u_pkey", "u NotFollowed"),
        ("ALTER TABLE u ADD COLUMN \"V\" int", "u NotFollowed"),
        ("CREATE INDEX t_n ON t (n); CREATE INDEX t_v ON t (v DESC)", "t IndexBuild"),
        ("CREATE INDEX t_lower ON t (lower(v))", ""),
        ("ALTER TYPE mood ADD VALUE 'great'", "t Copy"), // an array holds labels
        ("ALTER TYPE alone ADD VALUE 'great'", "u Instant"),
        ("ALTER TYPE alone RENAME VALUE 'sad' TO 'blue'", "u Rewrite"),
        ("ALTER DOMAIN small ADD CHECK (VALUE > -5)", ""),
        ("CREATE TABLE part_c PARTITION OF part FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')", "part Instant"),
        ("ALTER TABLE part ATTACH PARTITION part_b FOR VALUES FROM ('2022-01-01') TO ('2023-01-01')", "part Copy; part_b NotFollowed"),
        ("ALTER TABLE part DETACH PARTITION part_a", "part Copy; part_a Copy"),
        ("DROP TABLE part_a", "part Copy"),
        ("ALTER TABLE part ALTER COLUMN v TYPE bytea USING convert_to(v, 'UTF8')", "part Copy"),
        ("ALTER PUBLICATION dbsync_main DROP TABLE u; ALTER PUBLICATION dbsync_main ADD TABLE u", "u Copy"),
        ("BEGIN; ALTER TABLE t ADD COLUMN c int; ALTER TABLE u RENAME COLUMN v TO w; CREATE INDEX t_c ON t (c); COMMIT", "t IndexBuild; u Instant"),
        ("BEGIN; DROP TABLE u; ROLLBACK", ""),
        ("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c') THEN ALTER TABLE t ADD COLUMN c float8 DEFAULT random(); END IF; END $$", "t Copy"),
    ];

    private static readonly (string Change, string Expected)[] UnloggedChanges =
    [
        ("ALTER TABLE u ADD COLUMN c int", "u Instant"),
        ("ALTER TABLE u RENAME COLUMN v TO w", "u Copy"),
        ("ALTER TABLE u DROP COLUMN v", "u Copy"),
        ("CREATE INDEX u_v ON u (v)", "u IndexBuild"),
    ];

    [Fact]
    public async Task A_replica_does_what_the_plan_says() => (await WrongAsync(Changes, logged: true)).ShouldBeEmpty();

    [Fact]
    public async Task It_does_so_without_event_triggers() => (await WrongAsync(UnloggedChanges, logged: false)).ShouldBeEmpty();

    internal static void SkipWithoutClients() => Assert.SkipUnless(ScratchDatabase.IsPossible, "needs PostgreSQL's client programs, pg_dump and psql");

    private async Task<IReadOnlyCollection<string>> WrongAsync((string Change, string Expected)[] changes, bool logged)
    {
        SkipWithoutClients();
        var wrong = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(changes, new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Cancel }, async (c, _) =>
        {
            var (planned, copied) = await TryAsync(c.Change, logged);
            if (planned != c.Expected) wrong.Add($"{c.Change}: planned as {planned}, expected as {c.Expected}");
            else if (!planned.Contains("new", StringComparison.Ordinal) && copied != planned.Contains("Copy", StringComparison.Ordinal)) wrong.Add($"{c.Change}: planned as {planned}, copied {copied}");
        });
        return wrong;
    }

    /// <summary>The plan, and whether the replica copied anything when the migration ran.</summary>
    private async Task<(string Planned, bool Copied)> TryAsync(string change, bool logged)
    {
        await using var node = await SchemaNode.StartAsync(postgres, Tables, logged);
        node.Options = new NodeOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(100) };
        await node.ExecuteAsync("ALTER PUBLICATION dbsync_main ADD TABLE t, u, part, part_b");
        node.Run();
        await node.CatchUpAsync();
        var plan = await MigrationPlanner.PlanAsync(node.ConnectionString, change, cancellationToken: Cancel);
        plan.IsLogged.ShouldBe(logged);
        var copies = SchemaNode.Copies(node);
        await node.ExecuteAsync(change + (logged ? "" : "; SELECT dbsync.schema_changed()"));
        await node.CatchUpAsync();
        var planned = plan.Tables.OrderBy(t => t.Table, StringComparer.Ordinal).Select(t => $"{t.Table} {(t.Reason.StartsWith("it is new", StringComparison.Ordinal) ? "new" : t.Work)}");
        return (string.Join("; ", planned), SchemaNode.Copies(node) > copies);
    }

    [Fact]
    public async Task The_copy_of_the_schema_is_gone_afterwards_and_failures_are_told()
    {
        SkipWithoutClients();
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancel);
        await using var node = await SchemaNode.StartAsync(await server.CreateDatabaseAsync(cancellationToken: Cancel), "CREATE TABLE \"Odd name\" (id int PRIMARY KEY, \"V 'x'\" text)");
        (await MigrationPlanner.PlanAsync(node.ConnectionString, "ALTER TABLE first DROP COLUMN v", new MigrationPlanOptions { RowsPerSecond = 10 }, Cancel)).IsMeasured.ShouldBeTrue();
        var failure = await Should.ThrowAsync<DbSyncException>(() => MigrationPlanner.PlanAsync(node.ConnectionString, "ALTER TABLE missing DROP COLUMN v; DROP TABLE first", cancellationToken: Cancel));
        failure.Code.ShouldBe(ErrorCodes.MigrationNotPlanned);
        failure.Message.ShouldContain("missing");
        (await Should.ThrowAsync<DbSyncException>(() => MigrationPlanner.PlanAsync(node.ConnectionString, "", new MigrationPlanOptions { Replica = "other" }, Cancel))).Code.ShouldBe(ErrorCodes.PublicationMissing);
        (await node.ScalarAsync("SELECT count(*) FROM pg_database WHERE datname LIKE 'dbsync_plan_%'")).ShouldBe(0L);
        (await node.ScalarAsync("SELECT count(*) FROM first")).ShouldBe(0L, "nothing ran on the primary");
    }

    [Theory]
    [InlineData("ALTER TABLE first DROP COLUMN v; CREATE ROLE planned_by_mistake", "CREATE ROLE")]
    [InlineData("DO $$ BEGIN EXECUTE 'alter  user postgres PASSWORD NULL'; END $$", "alter  user")]
    [InlineData("GRANT pg_monitor TO CURRENT_USER", "GRANT")]
    [InlineData("ALTER SYSTEM SET work_mem = '1GB'", "ALTER SYSTEM")]
    [InlineData("COMMENT ON DATABASE postgres IS ''", "COMMENT ON DATABASE")]
    [InlineData("ALTER TABLE first DROP COLUMN v;\n\\connect postgres\nCREATE TABLE planned_by_mistake (a int)", "backslash")]
    [InlineData("SELECT 'touch /tmp/planned_by_mistake' \\g | sh", "backslash")]
    public async Task What_would_not_stay_within_the_copy_is_not_tried(string change, string named)
    {
        SkipWithoutClients();
        await using var node = await SchemaNode.StartAsync(postgres, "");
        var refusal = await Should.ThrowAsync<DbSyncException>(() => MigrationPlanner.PlanAsync(node.ConnectionString, change, cancellationToken: Cancel));
        refusal.Code.ShouldBe(ErrorCodes.MigrationNotPlanned);
        refusal.Message.ShouldContain(named);
    }

    [Theory]
    [InlineData("GRANT SELECT ON first TO PUBLIC; REVOKE ALL ON first FROM PUBLIC; ALTER TABLE first ADD grant_to text")]
    [InlineData("INSERT INTO first (id, v) VALUES (1, 'a \\d that is no command'); CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $f$ SELECT regexp_replace('x', '\\w', '') $f$")]
    public async Task What_only_looks_like_it_is_tried(string change)
    {
        SkipWithoutClients();
        await using var node = await SchemaNode.StartAsync(postgres, "");
        (await MigrationPlanner.PlanAsync(node.ConnectionString, change, cancellationToken: Cancel)).IsFollowed.ShouldBeTrue();
    }
}
