using System.Text.Json;
using DbSync.Testing;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Cli;

[Trait("Needs", "Server")]
public sealed class RunTests(PostgresFixture postgres)
{
    private const string Shop =
        """
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
        CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, mood mood, balance numeric(12, 2), data jsonb, tags text[], at timestamptz DEFAULT now());
        INSERT INTO customers SELECT i, 'name ' || i, (ARRAY['sad', 'ok', 'happy'])[i % 3 + 1]::mood, i * 1.10, jsonb_build_object('i', i), ARRAY['a', 'b' || i]
        FROM generate_series(1, 3000) AS i;
        CREATE TABLE log (a int, b text);
        ALTER TABLE log REPLICA IDENTITY FULL;
        INSERT INTO log SELECT i % 7, 'x' FROM generate_series(1, 500) AS i;
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_copies_and_follows_status_tells_and_sql_reads_with_the_collations()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        await replica.ExecuteAsync("UPDATE customers SET name = 'changed' WHERE id = 1");

        await Eventually.Async(
            async _ => (await replica.JsonAsync(0, "sql", "SELECT name FROM customers WHERE id = 1")).GetProperty("rows")[0][0].GetString(), name => name == "changed",
            cancellationToken: Cancellation);
        var byMood = await replica.JsonAsync(0, "sql", "SELECT mood, count(*), max(balance) FROM customers GROUP BY mood ORDER BY mood");
        byMood.GetProperty("columns")[0].GetString().ShouldBe("mood");
        byMood.GetProperty("rows").EnumerateArray().Select(r => r[0].GetString()).ShouldBe(["sad", "ok", "happy"]);
        byMood.GetProperty("rows")[0][2].GetString().ShouldBe("3300.00");

        var status = await replica.JsonAsync(0, "status", "--max-lag", "20000");
        ShapeOf(status).ShouldBe(
        [
            "replica", "node", "state", "appliedLsn", "durableLsn", "acknowledgedLsn", "primaryLsn", "lagMs", "lagBytes", "delay", "slot", "staleSince", "resync", "proof", "shards", "tables", "counters",
        ]);
        status.GetProperty("state").GetString().ShouldBe("streaming");
        status.GetProperty("slot").GetProperty("active").GetBoolean().ShouldBeTrue();
        status.GetProperty("tables").EnumerateArray().Select(t => (t.GetProperty("name").GetString(), t.GetProperty("state").GetString(), t.GetProperty("rows").GetInt64()))
            .ShouldBe([("customers", "live", 3000L), ("log", "live", 500L)]);
        status.GetProperty("tables").EnumerateArray().Select(t => (t.GetProperty("chunksDone").GetInt32(), t.GetProperty("chunks").GetInt32())).ShouldBe([(1, 1), (1, 1)]);
        status.GetProperty("shards")[0].GetProperty("rows").GetInt64().ShouldBe(3500);
    }

    [Fact]
    public async Task A_second_run_is_refused_and_SIGTERM_drains_with_exit_0()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();

        (await replica.JsonAsync(1, "run")).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.DataDirectoryInUse);
        var uninstall = await replica.RunAsync("uninstall", "--yes");
        uninstall.ExitCode.ShouldBe(1, uninstall.StandardError);
        uninstall.StandardError.ShouldContain(ErrorCodes.SlotInUse);
        node.Terminate();

        (await node.WaitForExitAsync(cancellationToken: Cancellation)).ShouldBe(0);
        var status = await replica.JsonAsync(0, "status");
        status.GetProperty("state").GetString().ShouldBe("stopped");
        status.GetProperty("durableLsn").GetString().ShouldBe(status.GetProperty("appliedLsn").GetString());
        (await replica.JsonAsync(6, "status", "--max-lag", "0")).GetProperty("slot").GetProperty("active").GetBoolean().ShouldBeFalse();
    }

    /// <summary>The next life, or another node's horizon, must not have to wait for what this one had on disk.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SIGTERM_acknowledges_everything_that_was_applied(bool underLoad)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        List<Task<long>> writers = underLoad ? [.. Enumerable.Range(0, 3).Select(w => WriteAsync(replica, w, stop.Token))] : [];
        await replica.ExecuteAsync("UPDATE customers SET name = 'last'");
        await Eventually.Async(
            async _ => (await replica.JsonAsync(0, "status")).GetProperty("counters").GetProperty("transactions").GetInt64(),
            transactions => transactions > (underLoad ? 500 : 1), cancellationToken: Cancellation);

        node.Terminate();

        (await node.WaitForExitAsync(cancellationToken: Cancellation)).ShouldBe(0, node.StandardError);
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        var status = await replica.JsonAsync(0, "status");
        var confirmed = await replica.ScalarAsync<string>("SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()");
        confirmed.ShouldBe(status.GetProperty("appliedLsn").GetString());
        status.GetProperty("acknowledgedLsn").GetString().ShouldBe(confirmed);
    }

    [Fact]
    public async Task A_table_that_a_second_init_adds_is_copied_by_the_running_node()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init", "--tables", "customers");
        await using var node = await replica.StartAsync();

        await replica.JsonAsync(0, "init", "--tables", "log");

        await Eventually.Async(
            async _ => (await replica.JsonAsync(0, "status")).GetProperty("tables").EnumerateArray()
                .Select(t => (t.GetProperty("name").GetString(), t.GetProperty("state").GetString(), t.GetProperty("rows").GetInt64())).ToList(),
            tables => tables.SequenceEqual([("customers", "live", 3000L), ("log", "live", 500L)]),
            cancellationToken: Cancellation);
        (await replica.JsonAsync(0, "verify")).GetProperty("differences").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task Status_answers_when_the_primary_does_not()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init");

        var status = await replica.JsonAsync(0, "status", "--primary", "Host=127.0.0.1;Port=1");

        status.GetProperty("state").GetString().ShouldBe("stopped");
        status.GetProperty("slot").ValueKind.ShouldBe(JsonValueKind.Null);
        status.GetProperty("primaryLsn").ValueKind.ShouldBe(JsonValueKind.Null);
        status.GetProperty("lagMs").ValueKind.ShouldBe(JsonValueKind.Null);
        status.GetProperty("hint").GetString()!.ShouldContain(ErrorCodes.PrimaryUnreachable);
    }

    [Fact]
    public async Task Status_of_a_running_node_that_lost_its_primary_is_stale_with_what_the_shards_hold()
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancellation);
        await using var replica = await CliReplica.CreateAsync(server, Shop);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        await server.StopAsync(ShutdownMode.Immediate, Cancellation);

        var status = await Eventually.Async(
            async _ => await replica.JsonAsync(0, "status"), s => s.GetProperty("state").GetString() == "stale", cancellationToken: Cancellation);

        status.GetProperty("errorCode").GetString().ShouldBe(ErrorCodes.PrimaryUnreachable);
        status.GetProperty("tables").EnumerateArray().Sum(t => t.GetProperty("rows").GetInt64()).ShouldBe(3500);
        status.GetProperty("slot").ValueKind.ShouldBe(JsonValueKind.Null);
        (await replica.JsonAsync(0, "sql", "SELECT count(*) FROM customers")).GetProperty("rows")[0][0].GetInt64().ShouldBe(3000);
        (await replica.JsonAsync(4, "verify")).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.PrimaryUnreachable);
        await server.StartAgainAsync(Cancellation);
        await Eventually.Async(
            async _ => await replica.JsonAsync(0, "status"), s => s.GetProperty("state").GetString() == "streaming", cancellationToken: Cancellation);
    }

    [Fact]
    public async Task Verify_finds_exactly_the_flipped_value_and_nothing_else()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init");
        (await replica.JsonAsync(1, "verify")).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.NotLive);
        await StopAsync(await replica.StartAsync());
        (await replica.JsonAsync(0, "verify")).GetProperty("differences").GetInt64().ShouldBe(0);

        Flip(replica, "UPDATE customers SET tags = '[\"a\",\"b778\"]' WHERE id = 777");
        var flipped = await replica.JsonAsync(5, "verify");
        Flip(replica, "UPDATE log SET b = 'y' WHERE rowid = 7");
        var both = await replica.JsonAsync(5, "verify");

        flipped.GetProperty("equal").GetBoolean().ShouldBeFalse();
        flipped.GetProperty("differences").GetInt64().ShouldBe(1);
        both.GetProperty("tables").EnumerateArray().Select(t => (t.GetProperty("name").GetString(), t.GetProperty("rowsPrimary").GetInt64(), t.GetProperty("rowsReplica").GetInt64(), t.GetProperty("differences").GetInt64()))
            .ShouldBe([("customers", 3000L, 3000L, 1L), ("log", 500L, 500L, 1L)]);
        (await replica.JsonAsync(0, "verify", "--table", "log", "--repair")).GetProperty("differences").GetInt64().ShouldBe(1);
        (await replica.JsonAsync(5, "verify")).GetProperty("differences").GetInt64().ShouldBe(1, "only the table that was named is mended");
        (await replica.ScalarAsync<long>("SELECT count(*) FROM dbsync.verification")).ShouldBe(0);
    }

    [Fact]
    public async Task Verify_finds_nothing_while_writers_go_on()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var writers = Enumerable.Range(0, 3).Select(w => WriteAsync(replica, w, stop.Token)).ToList();

        for (var i = 0; i < 5; i++) (await replica.JsonAsync(0, "verify")).GetProperty("equal").GetBoolean().ShouldBeTrue();

        await stop.CancelAsync();
        (await Task.WhenAll(writers)).Sum().ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Uninstall_leaves_nothing_behind()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init");
        await StopAsync(await replica.StartAsync());

        (await replica.RunAsync("uninstall")).ExitCode.ShouldBe(2); // nobody to ask
        await replica.JsonAsync(0, "uninstall", "--yes", "--purge-data");

        Directory.Exists(replica.Data).ShouldBeFalse();
        foreach (var left in new[]
        {
            "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()", "SELECT count(*) FROM pg_publication",
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'dbsync'", "SELECT count(*) FROM pg_event_trigger",
        })
            (await replica.ScalarAsync<long>(left)).ShouldBe(0, left);
        (await replica.JsonAsync(0, "uninstall", "--yes")).GetProperty("statements").GetArrayLength().ShouldBe(0);
    }

    private static async Task StopAsync(TestProcess node)
    {
        await using (node)
        {
            node.Terminate();
            (await node.WaitForExitAsync(cancellationToken: Cancellation)).ShouldBe(0);
        }
    }

    private static void Flip(CliReplica replica, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(replica.Data, "main.1.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery().ShouldBe(1);
    }

    private static async Task<long> WriteAsync(CliReplica replica, int writer, CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(replica.Primary);
        var random = new Random(writer);
        for (long written = 0; ; written++)
        {
            if (cancellationToken.IsCancellationRequested) return written;
            var id = random.Next(1, 3000);
            await using var command = source.CreateCommand(
                $"UPDATE customers SET balance = balance + 0.01, mood = 'sad' WHERE id = {id}; DELETE FROM log WHERE a = {id % 7}; INSERT INTO log VALUES ({id % 7}, 'y'), (9, 'z')");
            await command.ExecuteNonQueryAsync(CancellationToken.None);
            await Load.PauseAsync();
        }
    }

    private static IEnumerable<string> ShapeOf(JsonElement status)
    {
        var more = new[] { "processId", "updatedAt", "waiting", "errorCode", "hint" };
        return status.EnumerateObject().Select(p => p.Name).Except(more);
    }
}
