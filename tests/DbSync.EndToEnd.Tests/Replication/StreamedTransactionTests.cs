using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>
/// Transactions that the primary streams before they have ended: with the smallest <c>logical_decoding_work_mem</c> a few hundred rows are
/// enough. Nothing of one is visible before its commit, and nothing ever of what was rolled back.
/// </summary>
[Trait("Needs", "Server")]
[Trait("Also", "Postgres18")]
public sealed class StreamedTransactionTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE t (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0, v text);
        CREATE TABLE bag (line text);
        ALTER TABLE bag REPLICA IDENTITY FULL;
        CREATE TABLE big (id int PRIMARY KEY, n int, body text);
        ALTER TABLE big ALTER body SET STORAGE EXTERNAL;
        INSERT INTO big SELECT g, 0, repeat('b', 9000) FROM generate_series(1, 50) g;
        INSERT INTO t SELECT g, 0, 'first' FROM generate_series(1, 100) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Interleaved_transactions_are_visible_at_their_commits_without_what_was_rolled_back()
    {
        await using var node = await RunningAsync(await postgres.CreateDatabaseAsync(Cancel));
        await using var early = await OpenAsync(node);
        await using var late = await OpenAsync(node);
        await using var never = await OpenAsync(node);
        await RunAsync(early, Fill(10_000, "early"), "SAVEPOINT a", "DELETE FROM t WHERE id < 50", Fill(12_000, "gone"), "SAVEPOINT b", Fill(14_000, "gone too"));
        await RunAsync(late, Fill(20_000, "late"), "UPDATE big SET n = id WHERE id <= 25", "SAVEPOINT a", Fill(22_000, "kept"), "RELEASE a");
        await RunAsync(never, Fill(30_000, "never"), "TRUNCATE bag", "INSERT INTO bag SELECT 'never' || g FROM generate_series(1, 2000) g");
        await RunAsync(early, "ROLLBACK TO b", Fill(16_000, "gone as well"), "ROLLBACK TO a", Fill(18_000, "early again"), "UPDATE big SET body = body || id WHERE id > 40");
        await node.ExecuteAsync("UPDATE t SET n = 1 WHERE id > 90 AND id <= 100");
        await node.CatchUpAsync();
        (await RowsAsync(node)).ShouldBe(100, "what is in progress is invisible");
        Spilled(node).Length.ShouldBe(3);
        await RunAsync(never, "ROLLBACK");
        await RunAsync(late, "COMMIT");
        await node.CatchUpAsync();
        (await RowsAsync(node)).ShouldBe(100 + (2 * 1500));
        await Eventually.Async(_ => Task.FromResult(SpilledMeanwhile(node).Length == 1), cancellationToken: Cancel);
        await RunAsync(early, "DELETE FROM t WHERE id % 10 = 3", "COMMIT");
        await node.CatchUpAsync();
        Spilled(node).ShouldBeEmpty();
        node.Source.StreamedTransactions.ShouldBe(2);
        (await StatisticAsync(node, "stream_count > stream_txns AND stream_txns >= 3")).ShouldBeTrue();
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task Tables_and_types_that_change_within_a_streamed_transaction_arrive()
    {
        await using var node = await RunningAsync(await postgres.CreateDatabaseAsync(Cancel));
        await using (var writer = await OpenAsync(node))
        {
            await RunAsync(
                writer, Fill(10_000, "before"), "CREATE TYPE mood AS ENUM ('sad', 'ok')", "ALTER TABLE t ADD COLUMN feeling mood", "UPDATE t SET feeling = 'ok' WHERE id % 2 = 0",
                "SAVEPOINT a", "ALTER TABLE t ADD COLUMN gone int DEFAULT 7", Fill(12_000, "gone"), "ROLLBACK TO a", Fill(14_000, "after"),
                "ALTER TABLE t DROP COLUMN n", "UPDATE t SET v = 'last' WHERE id % 3 = 0", "TRUNCATE bag", "INSERT INTO bag SELECT 'new' FROM generate_series(1, 1500)", "COMMIT");
        }
        await node.ExecuteAsync("UPDATE t SET feeling = 'sad' WHERE id = 1; INSERT INTO bag VALUES ('later')");
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task Transactions_of_random_writers_with_random_savepoints_end_as_on_the_primary()
    {
        await using var node = await RunningAsync(await postgres.CreateDatabaseAsync(Cancel));
        await Task.WhenAll(Enumerable.Range(1, 4).Select(seed => Task.Run(() => WriteRandomlyAsync(node, seed), Cancel)));
        await node.CatchUpAsync();
        node.Source.StreamedTransactions.ShouldBeGreaterThan(4);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task What_waits_is_the_owners_alone_and_gone_after_a_stop()
    {
        await using var node = await RunningAsync(await postgres.CreateDatabaseAsync(Cancel));
        await using var writer = await OpenAsync(node);
        await RunAsync(writer, Fill(10_000, "slow"));
        var folder = Path.Combine(node.DataPath, "spill");
        await Eventually.Async(_ => Task.FromResult(SpilledMeanwhile(node).Length == 1), cancellationToken: Cancel);
        if (!OperatingSystem.IsWindows())
        {
            File.GetUnixFileMode(Spilled(node).Single()).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.GetUnixFileMode(folder).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        await node.StopAsync();
        Spilled(node).ShouldBeEmpty();
        await File.WriteAllTextAsync(Path.Combine(folder, "left.spill"), "of a dead process", Cancel);
        node.Run();
        await node.UntilAsync(_ => SpilledMeanwhile(node) is [var only] && !only.Contains("left", StringComparison.Ordinal));
        await RunAsync(writer, Fill(14_000, "slow still"), "COMMIT");
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task Where_the_disk_may_take_no_more_the_primary_keeps_the_transaction_until_its_end()
    {
        await using var node = await RunningAsync(await postgres.CreateDatabaseAsync(Cancel), spillBytesMax: 100_000);
        await using var writer = await OpenAsync(node);
        await RunAsync(writer, Fill(10_000, "large"), Fill(12_000, "and larger"));
        await node.UntilAsync(s => s.Reconnects > 0 && s.Pipeline == PipelineState.Streaming);
        Spilled(node).ShouldBeEmpty();
        await node.ExecuteAsync("UPDATE t SET n = 5 WHERE id < 10");
        await node.CatchUpAsync();
        await RunAsync(writer, "COMMIT");
        await node.CatchUpAsync();
        node.Source.StreamedTransactions.ShouldBe(0);
        (await RowsAsync(node)).ShouldBe(100 + (2 * 1500));
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    /// <summary>A transaction in progress from before the backlog would be decoded anew for every piece of it.</summary>
    [Fact]
    public async Task A_backlog_with_a_transaction_in_progress_is_left_to_the_walsender()
    {
        // What has to be decoded again begins with the oldest transaction of any database: here nobody else has one.
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancel);
        await using var node = await NodeUnderTest.CreateAsync(await SettledAsync(await server.CreateDatabaseAsync(cancellationToken: Cancel)), Schema, "t, bag, big", Cancel);
        (node.Backlog, node.BacklogDecodedBytesMax) = ((64 << 10, 128 << 10), 1 << 20);
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        await using var writer = await OpenAsync(node);
        await RunAsync(writer, Fill(100_000, "in progress"));
        for (var i = 0; i < 12; i++) await node.ExecuteAsync($"INSERT INTO t SELECT g, 0, repeat('x', 100) FROM generate_series({10_000 + (i * 1000)}, {10_999 + (i * 1000)}) g");
        node.Run();
        await node.CatchUpAsync();
        node.Source.BacklogPieces.ShouldBeInRange(1, 12);
        (await RowsAsync(node)).ShouldBe(12_100);
        await RunAsync(writer, Fill(200_000, "to the end"), "COMMIT");
        await node.CatchUpAsync();
        node.Source.StreamedTransactions.ShouldBeGreaterThan(0);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Fact]
    public async Task Many_small_transactions_share_a_commit_when_the_node_is_behind()
    {
        await using var node = await RunningAsync(await postgres.CreateDatabaseAsync(Cancel));
        await node.StopAsync();
        var before = Commits(node);
        await node.ExecuteAsync("DO $$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO t (id) VALUES (1000 + i); COMMIT; END LOOP; END $$");
        node.Run();
        await node.CatchUpAsync();
        node.Node.Status().Transactions.ShouldBeGreaterThanOrEqualTo(3000);
        await node.StopAsync();
        (Commits(node) - before).ShouldBeLessThan(300);
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    /// <summary>Smallest memory for decoding, for whoever connects from now on.</summary>
    internal static async Task<string> SettledAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancel);
        await RunAsync(connection, $"ALTER DATABASE \"{connection.Database}\" SET logical_decoding_work_mem = '64kB'");
        return connectionString;
    }

    private static string Fill(int from, string v) => $"INSERT INTO t SELECT g, 0, '{v} ' || g FROM generate_series({from}, {from + 1499}) g";

    private static async Task<NodeUnderTest> RunningAsync(string connectionString, long spillBytesMax = 1 << 30)
    {
        var node = await NodeUnderTest.CreateAsync(await SettledAsync(connectionString), Schema, "t, bag, big", Cancel);
        node.SpillBytesMax = spillBytesMax;
        node.Run();
        await node.CatchUpAsync();
        return node;
    }

    private static async Task WriteRandomlyAsync(NodeUnderTest node, int seed)
    {
        var random = new Random(seed);
        await using var connection = await OpenAsync(node, begin: false);
        var next = seed * 1_000_000;
        for (var transaction = 0; transaction < 6; transaction++)
        {
            var open = new Stack<string>();
            await RunAsync(connection, "BEGIN");
            for (var step = random.Next(4, 14); step > 0; step--)
            {
                var range = $"id BETWEEN {seed * 1_000_000} AND {(seed * 1_000_000) + 999_999}";
                var name = $"s{random.Next(1_000_000)}";
                switch (random.Next(6))
                {
                    case 0:
                        open.Push(name);
                        await RunAsync(connection, $"SAVEPOINT {name}");
                        break;
                    case 1 when open.Count > 0:
                        await RunAsync(connection, $"ROLLBACK TO {open.Peek()}");
                        break;
                    case 2 when open.Count > 0:
                        await RunAsync(connection, $"RELEASE {open.Pop()}");
                        break;
                    case 3:
                        await RunAsync(connection, $"UPDATE t SET n = n + 1 WHERE {range} AND id % {random.Next(2, 6)} = 0");
                        break;
                    case 4:
                        await RunAsync(connection, $"DELETE FROM t WHERE {range} AND id % {random.Next(5, 12)} = 0", $"INSERT INTO bag VALUES ('{name}')");
                        break;
                    default:
                        await RunAsync(connection, $"INSERT INTO t SELECT g, {step}, 'w{seed} ' || g FROM generate_series({next}, {next + 799}) g");
                        next += 800;
                        break;
                }
            }
            await RunAsync(connection, random.Next(4) == 0 ? "ROLLBACK" : "COMMIT");
        }
    }

    private static string[] Spilled(NodeUnderTest node) => Directory.GetFiles(Path.Combine(node.DataPath, "spill"));

    /// <summary>While a stream opens, which makes the folder anew.</summary>
    private static string[] SpilledMeanwhile(NodeUnderTest node)
    {
        try
        {
            return Spilled(node);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static Task<long> RowsAsync(NodeUnderTest node) => Task.FromResult(ShardRows.Count(Path.Combine(node.DataPath, "s0.1.db"), "t"));

    private static long Commits(NodeUnderTest node) => ShardRows.Integer(Path.Combine(node.DataPath, "s0.1.db"), "SELECT commits FROM \"dbsync.shard\"");

    private static async Task<bool> StatisticAsync(NodeUnderTest node, string condition)
    {
        await Eventually.Async(
            async _ => (bool)(await node.ScalarAsync($"SELECT {condition} FROM pg_stat_replication_slots WHERE slot_name = '{node.Slot}'"))!, TimeSpan.FromSeconds(30), cancellationToken: Cancel);
        return true;
    }

    private static async Task<NpgsqlConnection> OpenAsync(NodeUnderTest node, bool begin = true)
    {
        var connection = new NpgsqlConnection(node.ConnectionString);
        await connection.OpenAsync(Cancel);
        if (begin) await RunAsync(connection, "BEGIN");
        return connection;
    }

    private static async Task RunAsync(NpgsqlConnection connection, params string[] statements)
    {
        foreach (var sql in statements)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }
}
