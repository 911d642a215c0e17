using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>Statements of the node that the server cancels or refuses for a while: the node waits and tells, and goes on when it may.</summary>
[Trait("Needs", "Server")]
public sealed class FailingStatementsTests(PostgresFixture postgres)
{
    private const string Schema = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('v', 100) FROM generate_series(1, 20000) g";

    private static readonly NodeOptions Impatient = new()
    {
        Pipeline = new PipelineOptions { ReconnectDelay = TimeSpan.FromMilliseconds(20), ReconnectDelayMax = TimeSpan.FromMilliseconds(200) },
        Copy = new CopyOptions { ChunkBytes = 64 << 10, RetryDelay = TimeSpan.FromMilliseconds(20) },
        HeartbeatInterval = TimeSpan.FromMilliseconds(20),
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Statements_that_are_cancelled_again_and_again_end_nothing()
    {
        await using var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), Schema, "t", Cancel);
        node.Options = Impatient;
        node.Run();
        await node.ExecuteAsync(
            """
            DO $$
            DECLARE cancelled int := 0;
            BEGIN
                WHILE cancelled < 200 LOOP
                    PERFORM pg_stat_clear_snapshot();
                    WITH victims AS MATERIALIZED (
                        SELECT pid FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'dbsync' AND state = 'active' AND backend_type = 'client backend')
                    SELECT cancelled + count(*) INTO cancelled FROM victims WHERE pg_cancel_backend(pid);
                END LOOP;
            END $$
            """);
        await node.CatchUpAsync();
        await node.ExecuteAsync("UPDATE t SET v = 'later' WHERE id % 10 = 0");
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task A_copy_whose_every_statement_times_out_says_so_and_goes_on_when_they_no_longer_do()
    {
        await using var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), Schema, "t", Cancel);
        node.Options = Impatient with { Copy = Impatient.Copy with { ChunkBytes = 64 << 20 } };
        await node.ExecuteAsync("INSERT INTO t SELECT g, repeat('v', 500) FROM generate_series(20001, 200000) g"); // more than a COPY of 30 ms can bring
        await node.ExecuteAsync("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 30', current_database()); END $$");
        node.Run();
        await node.UntilAsync(s => s.Waiting?.Contains("57014", StringComparison.Ordinal) == true);
        await node.ExecuteAsync("SET statement_timeout = 0; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET statement_timeout', current_database()); END $$");
        await node.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dbsync'");
        await node.CatchUpAsync();
        node.Node.Status().Waiting.ShouldBeNull();
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }
}
