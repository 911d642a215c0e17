using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>Servers that go away under the stream or under the copy: nothing is lost and nothing is there twice.</summary>
[Trait("Needs", "Server")]
public sealed class BrokenStreamTests(PostgresFixture postgres)
{
    private const string Schema = "CREATE TABLE t (id bigint PRIMARY KEY, n int, v text); INSERT INTO t SELECT g, 0, repeat('v', 100) FROM generate_series(1, 20000) g";

    private static readonly NodeOptions Impatient = new()
    {
        Pipeline = new PipelineOptions { ReconnectDelay = TimeSpan.FromMilliseconds(20), ReconnectDelayMax = TimeSpan.FromMilliseconds(200) },
        Copy = new CopyOptions { ChunkBytes = 64 << 10, RetryDelay = TimeSpan.FromMilliseconds(20) },
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_walsender_that_is_ended_again_and_again_under_load_loses_nothing()
    {
        await using var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), Schema, "t", Cancel, shards: 2);
        node.Options = Impatient;
        node.Run();
        using var stop = new CancellationTokenSource();
        var writers = Writers(node, stop.Token);
        await node.UntilAsync(s => s.Pipeline == PipelineState.Streaming);
        for (var i = 1; i <= 15; i++)
        {
            var wanted = i;
            await Eventually.Async(
                async _ => await node.ScalarAsync($"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{node.Slot}'") is true, cancellationToken: Cancel);
            await node.UntilAsync(s => s.Reconnects >= wanted && s.Pipeline == PipelineState.Streaming);
        }
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_that_is_torn_down_loses_nothing(bool duringTheCopy)
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancel);
        await using var node = await NodeUnderTest.CreateAsync(await server.CreateDatabaseAsync(cancellationToken: Cancel), Schema, "t", Cancel);
        node.Options = Impatient;
        node.Run();
        if (!duringTheCopy) await node.CatchUpAsync();
        for (var i = 0; i < 3; i++)
        {
            using var stop = new CancellationTokenSource();
            var writers = Writers(node, stop.Token);
            if (duringTheCopy && i == 0) await node.UntilAsync(s => s.ChunksRead > 3);
            else await node.UntilAsync(s => s.Transactions > 20 * i);
            await server.RestartAsync(ShutdownMode.Immediate, Cancel);
            await stop.CancelAsync();
            await Task.WhenAll(writers);
        }
        await node.ExecuteAsync("UPDATE t SET v = 'last' WHERE id % 10 = 0");
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    /// <summary>Commits that are in the log and not visible: the copy must neither miss them nor take them twice.</summary>
    [Fact]
    public async Task Commits_that_wait_for_a_standby_during_the_copy_are_not_lost()
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancel);
        await using var node = await NodeUnderTest.CreateAsync(await server.CreateDatabaseAsync(cancellationToken: Cancel), Schema, "t", Cancel);
        node.Options = Impatient;
        await server.ExecuteAsync("ALTER SYSTEM SET synchronous_standby_names = 'missing'", cancellationToken: Cancel);
        await server.ExecuteAsync("SELECT pg_reload_conf()", cancellationToken: Cancel);
        var settings = new NpgsqlConnectionStringBuilder(node.ConnectionString) { Pooling = false };
        await Eventually.Async(async _ => (string)(await node.ScalarAsync("SHOW synchronous_standby_names"))! == "missing", cancellationToken: Cancel);

        var waiting = Enumerable.Range(0, 4).Select(i => RunAsync(
            settings.ConnectionString, $"BEGIN; UPDATE t SET v = 'waits' WHERE id % 100 = {i}; INSERT INTO t VALUES ({-i - 1}, 0, 'waits'); DELETE FROM t WHERE id % 100 = {i + 50}; COMMIT")).ToList();
        await Eventually.Async(
            async _ => (long)(await node.ScalarAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()"))! >= 4, cancellationToken: Cancel);
        node.Run();
        settings.Options = "-c synchronous_commit=local";
        await RunAsync(settings.ConnectionString, "UPDATE t SET n = 1 WHERE id % 100 = 75");
        await node.UntilAsync(s => s.Waiting is not null); // the copy waits for them to end
        await server.ExecuteAsync("ALTER SYSTEM RESET synchronous_standby_names", cancellationToken: Cancel);
        await server.ExecuteAsync("SELECT pg_reload_conf()", cancellationToken: Cancel);
        await Task.WhenAll(waiting);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    private static List<Task> Writers(NodeUnderTest node, CancellationToken stop) =>
        [.. Enumerable.Range(0, 2).Select(i => Task.Run(() => WriteAsync(node.ConnectionString, i, stop), Cancel))];

    private static async Task WriteAsync(string connectionString, int seed, CancellationToken stop)
    {
        var random = new Random(seed);
        var unpooled = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = new NpgsqlConnection(unpooled);
                await connection.OpenAsync(CancellationToken.None);
                while (!stop.IsCancellationRequested)
                {
                    await Load.PauseAsync();
                    var id = random.Next(1, 20_000);
                    await using var command = new NpgsqlCommand(
                        random.Next(4) switch
                        {
                            0 => $"INSERT INTO t VALUES ({id + random.Next(1 << 20)}, 1, 'new') ON CONFLICT (id) DO UPDATE SET n = t.n + 1",
                            1 => $"UPDATE t SET id = -id WHERE id = {id}",
                            2 => $"DELETE FROM t WHERE id BETWEEN {id} AND {id + 3}",
                            _ => $"UPDATE t SET n = n + 1 WHERE id BETWEEN {id} AND {id + 5}",
                        }, connection);
                    await command.ExecuteNonQueryAsync(CancellationToken.None);
                }
            }
            catch (NpgsqlException)
            {
                // The server went away, or two writers met: both happen here on purpose.
            }
        }
    }

    private static async Task RunAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 300 };
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
