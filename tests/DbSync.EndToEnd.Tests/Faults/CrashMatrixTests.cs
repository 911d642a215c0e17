using DbSync.EndToEnd.Tests.Replication;
using DbSync.Sqlite;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>
/// Kills the real process at every failpoint, during the copy and during streaming, starts it again, and asks: are the rows the primary's,
/// was each transaction applied once and in order, and was nothing acknowledged that is not on disk?
/// </summary>
[Trait("Needs", "Server")]
public sealed class CrashMatrixTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE account (id bigint PRIMARY KEY, balance int NOT NULL, note text);
        CREATE TABLE log (at timestamptz NOT NULL DEFAULT clock_timestamp(), line text);
        ALTER TABLE log REPLICA IDENTITY FULL;
        ALTER TABLE account ADD big text;
        ALTER TABLE account ALTER big SET STORAGE EXTERNAL;
        INSERT INTO account SELECT g, g, repeat('x', 100), CASE WHEN g % 20 = 0 THEN repeat(md5(g::text), 100) END FROM generate_series(1, 20000) g;
        INSERT INTO log SELECT now(), 'line ' || g FROM generate_series(1, 300) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The points at which a node of several shards can leave them at different places.</summary>
    private static readonly string[] Sharded = [Failpoint.BeforeCommit, Failpoint.AfterCommit, Failpoint.MidTransaction, Failpoint.BetweenShardCommits, Failpoint.AfterBarrier];

    public static TheoryData<string, int> Points
    {
        get
        {
            var points = new TheoryData<string, int>();
            foreach (var (name, _) in Failpoint.All)
            {
                if (LostSlotTests.Points.Contains(name) || BackupTests.Points.Contains(name)) continue; // their tests come by there
                points.Add(name, 1);
                if (name is Failpoint.BeforeCommit or Failpoint.AfterCommit or Failpoint.MidTransaction or Failpoint.BetweenShardCommits) points.Add(name, 25);
            }
            foreach (var name in Sharded) points.Add(name, 60);
            return points;
        }
    }

    [Theory]
    [MemberData(nameof(Points))]
    public async Task A_kill_at_a_failpoint_loses_nothing_and_repeats_nothing(string failpoint, int count)
    {
        string[] sharding = failpoint == Failpoint.BetweenShardCommits || count > 25 ? ["--shards", "a:1,b:2,c:1", "--shard-key", "account=id"] : [];
        await using var node = await ToolNode.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), Schema, Cancel, sharding);
        var streams = failpoint is Failpoint.AfterSpilledBlock or Failpoint.BeforeReplay;
        if (streams) await StreamedTransactionTests.SettledAsync(node.ConnectionString);
        if (failpoint is Failpoint.AfterBacklogPiece or Failpoint.BeforeStream or Failpoint.AfterStream) await FallBehindAsync(node);
        using var stop = new CancellationTokenSource();
        var needsIdleness = failpoint is Failpoint.BeforeWalTruncation or Failpoint.AfterWalTruncation; // else the log is copied back beside the writing
        var writer = needsIdleness ? Task.CompletedTask : Task.Run(() => WriteAsync(node.ConnectionString, streams, stop.Token), Cancel);

        await using var victim = node.Run(failpoint, count);
        (await victim.WaitForExitAsync(TimeSpan.FromSeconds(60), Cancel)).ShouldBe(137, "it must die by SIGKILL at the failpoint");
        await AcknowledgedIsOnDiskAsync(node);

        node.Run();
        await node.CatchUpAsync();
        await stop.CancelAsync();
        await writer;
        await node.CatchUpAsync();
        await node.StopAsync();

        node.ShardFiles.Count.ShouldBe(sharding.Length == 0 ? 1 : 3);
        (await ReplicaOracle.CompareAsync(node.ConnectionString, "dbsync_main", node.ShardFiles)).ShouldBeEmpty();
        foreach (var file in node.ShardFiles) JournalIsInOrder(file);
    }

    /// <summary>Copies, stops, and lets the primary write more log than the walsender is asked for.</summary>
    private static async Task FallBehindAsync(ToolNode node)
    {
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        for (var i = 0; i < 8; i++)
            await node.ExecuteAsync($"INSERT INTO account SELECT g, g, repeat(md5(g::text), 10) FROM generate_series({100_000 + (i * 10_000)}, {109_999 + (i * 10_000)}) g");
    }

    /// <summary>What the primary was told must not be beyond what any file holds after the kill.</summary>
    private static async Task AcknowledgedIsOnDiskAsync(ToolNode node)
    {
        var confirmed = Lsn.Parse((string)(await node.ScalarAsync(
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()"))!);
        var start = Lsn.Parse(NodeFile.Load(node.DataPath).StartLsn!);
        foreach (var file in node.ShardFiles)
        {
            using var database = new SqliteDatabase(file, "shard");
            var applied = new Lsn((ulong)database.QueryInteger("SELECT applied_lsn FROM \"dbsync.shard\""));
            confirmed.ShouldBeLessThanOrEqualTo(Lsn.Max(applied, start));
        }
    }

    private static void JournalIsInOrder(string shardFile)
    {
        using var database = new SqliteDatabase(shardFile, "shard");
        database.QueryInteger("SELECT count(*) FROM \"dbsync.journal\"").ShouldBeGreaterThan(0);
        database.QueryInteger(
            """
            SELECT count(*) FROM (SELECT end_lsn, lag(end_lsn) OVER (ORDER BY sequence) AS before FROM "dbsync.journal") WHERE before >= end_lsn
            """).ShouldBe(0);
        using var check = database.Prepare("PRAGMA integrity_check");
        check.Step();
        check.Text(0).ShouldBe("ok");
    }

    private static async Task WriteAsync(string connectionString, bool streams, CancellationToken cancellationToken)
    {
        var random = new Random(7);
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(CancellationToken.None);
        while (!cancellationToken.IsCancellationRequested)
        {
            await Load.PauseAsync();
            var id = random.Next(1, 25000);
            var large = streams && random.Next(8) == 0; // few, or the log grows faster than it is read and all of it is a backlog
            var sql = random.Next(6) switch
            {
                _ when large => $"SAVEPOINT a; DELETE FROM account WHERE id BETWEEN {id} AND {id + 600}; ROLLBACK TO a; UPDATE account SET balance = balance + 1 WHERE id BETWEEN {id} AND {id + 600}",
                0 => $"INSERT INTO account VALUES ({id}, 0, 'new', CASE WHEN {id} % 3 = 0 THEN repeat(md5('{id}'), 100) END) ON CONFLICT (id) DO UPDATE SET balance = account.balance + 1",
                1 => $"UPDATE account SET balance = balance + 1 WHERE id BETWEEN {id} AND {id + 5}",
                2 => $"DELETE FROM account WHERE id = {id}",
                3 => $"UPDATE account SET id = -id WHERE id = {id}",
                4 => $"INSERT INTO log (line) VALUES ('line {id}')",
                _ => $"DELETE FROM log WHERE ctid = (SELECT ctid FROM log LIMIT 1)",
            };
            await using var command = new NpgsqlCommand($"BEGIN; {sql}; UPDATE account SET note = 'n{id}' WHERE id = {id + 1}; COMMIT", connection);
            try
            {
                await command.ExecuteNonQueryAsync(CancellationToken.None);
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                await using var rollback = new NpgsqlCommand("ROLLBACK", connection);
                await rollback.ExecuteNonQueryAsync(CancellationToken.None);
            }
        }
    }
}
