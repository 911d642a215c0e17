using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>Whoever waits for a position of the primary's log is answered, whatever the log up to there is made of.</summary>
[Trait("Needs", "Server")]
public sealed class PositionTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Traffic =>
    [
        "SELECT 1", // nothing at all
        "SELECT pg_switch_wal()",
        "SELECT pg_switch_wal(); SELECT pg_switch_wal()",
        "CHECKPOINT",
        "CREATE TABLE IF NOT EXISTS unpublished (id int); INSERT INTO unpublished SELECT generate_series(1, 1000)",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING; SELECT pg_switch_wal()",
        "BEGIN; DELETE FROM t; ROLLBACK",
        "SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000))",
        "SELECT pg_create_restore_point('here')",
    ];

    [Theory]
    [MemberData(nameof(Traffic))]
    public async Task Waiting_for_any_position_ends(string traffic)
    {
        await using var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), "CREATE TABLE t (id int PRIMARY KEY)", "t", Cancel);
        node.Options = new NodeOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(100) };
        node.Run();
        await node.CatchUpAsync();
        for (var i = 0; i < 5; i++)
        {
            await node.ExecuteAsync(traffic);
            var target = Lsn.Parse((string)(await node.ScalarAsync("SELECT pg_current_wal_insert_lsn()::text"))!);
            await node.Node.Positions.WaitAsync(target, Cancel).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        }
        await node.StopAsync();
    }
}
