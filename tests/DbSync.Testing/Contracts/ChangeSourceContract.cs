using System.Globalization;
using Npgsql;
using Shouldly;
using Xunit;

namespace DbSync.Testing;

/// <summary>What a source of the primary's change log must do, on a real server; bound to a source and a server by a class of its own.</summary>
public abstract class ChangeSourceContract : IAsyncDisposable
{
    protected const string Publication = "contract";
    private const string Schema = "CREATE TABLE t (id bigint PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)";
    private readonly List<IAsyncDisposable> _made = [];

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private protected string Slot { get; } = $"contract_{Guid.NewGuid():n}";

    private protected string ConnectionString { get; private set; } = "";

    /// <summary>The server that tests share.</summary>
    protected abstract Task<PostgresServer> ServerAsync();

    /// <summary>A server of the test's own, to be stopped and started.</summary>
    protected abstract Task<PostgresServer> OwnServerAsync();

    /// <summary>A source that follows <see cref="Publication"/> through a slot.</summary>
    internal abstract IChangeSource Create(string connectionString, string slot);

    [Fact]
    public async Task Whole_transactions_come_in_commit_order()
    {
        using var stream = await StartAsync();
        await using (var early = await ConnectAsync())
        await using (var late = await ConnectAsync())
        {
            await RunAsync(early, "BEGIN; INSERT INTO t VALUES (1, 'early')");
            await RunAsync(late, "BEGIN; INSERT INTO t VALUES (2, 'late'); SAVEPOINT s; INSERT INTO t VALUES (3, 'gone'); ROLLBACK TO s");
            await RunAsync(early, "INSERT INTO t VALUES (4, 'early too')");
            await RunAsync(late, "COMMIT");
            await RunAsync(early, "UPDATE t SET v = NULL WHERE id = 1; DELETE FROM t WHERE id = 4; COMMIT");
            await RunAsync(late, "BEGIN; INSERT INTO t VALUES (5, 'never'); ROLLBACK");
            await RunAsync(late, "INSERT INTO t VALUES (6, 'last')");
        }
        await stream.UntilAsync(s => s.Seen.Any(t => t.Changes.Contains("Insert t 6,last")), Cancel);
        stream.Seen.Where(t => t.Changes.Count > 0).Select(t => string.Join("; ", t.Changes)).ShouldBe(
        [
            "Insert t 2,late",
            "Insert t 1,early; Insert t 4,early too; Update t 1,NULL; Delete t 4",
            "Insert t 6,last",
        ]);
        stream.Seen.Zip(stream.Seen.Skip(1)).ShouldAllBe(pair => pair.First.EndLsn <= pair.Second.CommitLsn);
    }

    [Fact]
    public async Task Transactions_that_are_streamed_before_their_end_come_whole_in_commit_order()
    {
        using var stream = await StartAsync(before: "ALTER DATABASE \"{0}\" SET logical_decoding_work_mem = '64kB'");
        await using var early = await ConnectAsync();
        await using var late = await ConnectAsync();
        await using var never = await ConnectAsync();
        await RunAsync(early, "BEGIN; INSERT INTO t SELECT g, 'early' FROM generate_series(1, 2000) g");
        await RunAsync(late, "BEGIN; INSERT INTO t SELECT g, 'late' FROM generate_series(10001, 12000) g");
        await RunAsync(never, "BEGIN; INSERT INTO t SELECT g, 'never' FROM generate_series(20001, 22000) g");
        await RunAsync(early, "SAVEPOINT a; INSERT INTO t SELECT g, 'gone' FROM generate_series(30001, 32000) g; SAVEPOINT b; DELETE FROM t WHERE id < 100; RELEASE b; ROLLBACK TO a");
        await ExecuteAsync("INSERT INTO t VALUES (-1, 'between')");
        await RunAsync(late, "UPDATE t SET v = 'late too' WHERE id = 10001; COMMIT");
        await RunAsync(never, "ROLLBACK");
        await RunAsync(early, "DELETE FROM t WHERE id = 2000; COMMIT");
        await stream.UntilAsync(s => s.Seen.Count(t => t.Changes.Count > 0) == 3, Cancel);
        var seen = stream.Seen.Where(t => t.Changes.Count > 0).ToList();
        seen.Select(t => (t.Changes.Count, t.Changes[0], t.Changes[^1])).ShouldBe(
        [
            (1, "Insert t -1,between", "Insert t -1,between"),
            (2001, "Insert t 10001,late", "Update t 10001,late too"),
            (2001, "Insert t 1,early", "Delete t 2000"),
        ]);
        seen.Zip(seen.Skip(1)).ShouldAllBe(pair => pair.First.EndLsn <= pair.Second.CommitLsn);
        await Eventually.Async(
            async _ => await ScalarAsync($"SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = '{Slot}'") is not "0", cancellationToken: Cancel);
    }

    [Fact]
    public async Task A_table_that_somebody_has_locked_holds_nothing_up()
    {
        using var stream = await StartAsync();
        await ExecuteAsync($"ALTER PUBLICATION {Publication} ADD TABLE other");
        await using var locker = await ConnectAsync();
        await RunAsync(locker, "BEGIN; LOCK TABLE other IN ACCESS EXCLUSIVE MODE");
        await ExecuteAsync("INSERT INTO t VALUES (1, 'v')");
        await stream.UntilAsync(s => s.Seen.Any(t => t.Changes.Contains("Insert t 1,v")), Cancel);
    }

    [Fact]
    public async Task Nothing_at_or_before_the_asked_position_comes()
    {
        using (var stream = await StartAsync())
        {
            for (var i = 1; i <= 10; i++) await ExecuteAsync($"INSERT INTO t VALUES ({i}, 'v')");
            await stream.UntilAsync(s => s.Seen.Count(t => t.Changes.Count > 0) == 10, Cancel);
            var all = stream.Seen.Where(t => t.Changes.Count > 0).ToList();
            foreach (var from in new[] { 0, 4, 8 })
            {
                stream.Dispose();
                using var again = await OpenAsync(all[from].EndLsn);
                await again.UntilAsync(s => s.Seen.Count(t => t.Changes.Count > 0) >= 9 - from, Cancel);
                again.Seen.Where(t => t.Changes.Count > 0).Select(t => t.EndLsn).ShouldBe(all.Skip(from + 1).Select(t => t.EndLsn));
            }
        }
    }

    [Fact]
    public async Task A_large_transaction_comes_in_several_parts()
    {
        using var stream = await StartAsync();
        await ExecuteAsync("INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(1, 20000) g");
        await stream.UntilAsync(s => s.Seen.Any(t => t.Changes.Count == 20_000), Cancel);
        stream.PartsMax.ShouldBeGreaterThan(3);
    }

    [Fact]
    public async Task A_position_that_is_asked_for_comes_although_nothing_is_published()
    {
        using var stream = await StartAsync();
        for (var i = 0; i < 3; i++)
        {
            var target = await UntilToldAsync(stream);
            (stream.Stream.PrimaryPosition >= target).ShouldBeTrue();
        }
        stream.Positions.ShouldBe(stream.Positions.Order());
    }

    [Fact]
    public async Task Only_what_is_acknowledged_is_confirmed()
    {
        using var stream = await StartAsync();
        var before = await ConfirmedAsync();
        for (var i = 1; i <= 5; i++) await ExecuteAsync($"INSERT INTO t VALUES ({i}, 'v')");
        await stream.UntilAsync(s => s.Seen.Count(t => t.Changes.Count > 0) == 5, Cancel);
        for (var i = 0; i < 3; i++) await UntilToldAsync(stream);
        (await ConfirmedAsync()).ShouldBe(before);

        var third = stream.Seen.Where(t => t.Changes.Count > 0).ElementAt(2).EndLsn;
        stream.Stream.Acknowledge(third);
        await Eventually.Async(async _ => await ConfirmedAsync() == third, cancellationToken: Cancel);
        stream.Dispose();

        using var again = await OpenAsync(third);
        await again.UntilAsync(s => s.Seen.Count(t => t.Changes.Count > 0) == 2, Cancel);
        (await ConfirmedAsync()).ShouldBe(third);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(200_000)]
    public async Task A_stream_that_is_closed_has_told_what_was_acknowledged_last(int rowsOnTheirWay)
    {
        for (var round = 0; round < 5; round++)
        {
            using var stream = await StartAsync();
            await ExecuteAsync("INSERT INTO t VALUES (-1, 'v')");
            await stream.UntilAsync(s => s.Seen.Any(t => t.Changes.Count > 0), Cancel);
            var last = stream.Seen.First(t => t.Changes.Count > 0).EndLsn;
            if (rowsOnTheirWay > 0) await ExecuteAsync($"INSERT INTO t SELECT g, 'v' FROM generate_series(1, {rowsOnTheirWay}) g");
            await stream.StopReadingAsync();
            stream.Stream.Acknowledge(last);
            stream.Stream.Close();
            (await ConfirmedAsync()).ShouldBe(last);
            await ExecuteAsync($"SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = '{Slot}' AND active");
            await ExecuteAsync($"SELECT pg_drop_replication_slot('{Slot}')");
        }
    }

    [Fact]
    public async Task A_table_has_another_entry_once_the_publication_has_left_it_out()
    {
        using var stream = await StartAsync();
        var source = Create(ConnectionString, Slot);
        _made.Add(source);
        var before = await source.ReadEntriesAsync(Cancel);
        (await source.DescribeAsync(Cancel)).ToDictionary(t => t.Id, t => t.Entry).ShouldBe(before, ignoreOrder: true);
        await ExecuteAsync($"ALTER PUBLICATION {Publication} ADD TABLE other");
        var both = await source.ReadEntriesAsync(Cancel);
        both.Count.ShouldBe(2);
        both[before.Keys.Single()].ShouldBe(before.Values.Single());
        await ExecuteAsync($"ALTER PUBLICATION {Publication} DROP TABLE t; ALTER PUBLICATION {Publication} ADD TABLE t");
        (await source.ReadEntriesAsync(Cancel))[before.Keys.Single()].ShouldNotBe(before.Values.Single());
        await ExecuteAsync($"DROP PUBLICATION {Publication}");
        (await Should.ThrowAsync<DbSyncException>(() => source.ReadEntriesAsync(Cancel))).Code.ShouldBe(ErrorCodes.PublicationMissing);
        (await Should.ThrowAsync<DbSyncException>(() => source.DescribeAsync(Cancel))).Code.ShouldBe(ErrorCodes.PublicationMissing);
    }

    [Fact]
    public async Task A_slot_that_was_confirmed_further_is_a_gap()
    {
        using (await StartAsync())
        {
        }
        var position = await ConfirmedAsync();
        await ExecuteAsync("INSERT INTO t VALUES (1, 'lost')");
        await InactiveAsync();
        await ExecuteAsync($"SELECT pg_replication_slot_advance('{Slot}', pg_current_wal_lsn())");
        (await RefusalAsync(position)).ShouldBe(ErrorCodes.SlotAhead);
    }

    [Fact]
    public async Task A_slot_that_is_not_there_is_said_to_be_missing()
    {
        using (await StartAsync())
        {
        }
        var position = await ConfirmedAsync();
        await InactiveAsync();
        await ExecuteAsync($"SELECT pg_drop_replication_slot('{Slot}')");
        (await RefusalAsync(position)).ShouldBe(ErrorCodes.SlotMissing);
    }

    [Fact]
    public async Task A_slot_that_somebody_follows_is_refused()
    {
        using var stream = await StartAsync();
        (await RefusalAsync(await ConfirmedAsync())).ShouldBe(ErrorCodes.SlotInUse);
        await ExecuteAsync("INSERT INTO t VALUES (1, 'v')");
        await stream.UntilAsync(s => s.Seen.Count > 0, Cancel);
    }

    [Fact]
    public async Task A_stream_whose_server_process_is_ended_says_so_and_can_be_continued()
    {
        var seen = new List<SeenTransaction>();
        var stream = await StartAsync();
        for (var round = 1; round <= 5; round++)
        {
            await ExecuteAsync($"INSERT INTO t VALUES ({round}, 'v')");
            await stream.UntilAsync(s => s.Seen.Any(t => t.Changes.Contains($"Insert t {round},v")), Cancel);
            await ExecuteAsync($"INSERT INTO t VALUES ({round + 100}, 'cut'); SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{Slot}'");
            (await Should.ThrowAsync<DbSyncException>(() => stream.Ended.WaitAsync(TimeSpan.FromSeconds(60), Cancel))).Code.ShouldBe(ErrorCodes.PrimaryUnreachable);
            seen.AddRange(stream.Seen);
            stream.Dispose();
            await InactiveAsync();
            stream = await OpenAsync(seen[^1].EndLsn);
        }
        await stream.UntilAsync(s => seen.Concat(s.Seen).SelectMany(t => t.Changes).Count() >= 10, Cancel);
        seen.Concat(stream.Seen).SelectMany(t => t.Changes).ShouldBe(Enumerable.Range(1, 5).SelectMany(r => new[] { $"Insert t {r},v", $"Insert t {r + 100},cut" }));
        stream.Dispose();
    }

    [Fact]
    public async Task A_stream_goes_on_after_the_server_was_torn_down()
    {
        await using var server = await OwnServerAsync();
        using var stream = await StartAsync(server);
        await ExecuteAsync("INSERT INTO t VALUES (1, 'before')");
        await stream.UntilAsync(s => s.Seen.Any(t => t.Changes.Count > 0), Cancel);
        var position = stream.Seen[^1].EndLsn;
        await server.RestartAsync(ShutdownMode.Immediate, Cancel);
        (await Should.ThrowAsync<DbSyncException>(() => stream.Ended.WaitAsync(TimeSpan.FromSeconds(60), Cancel))).Code.ShouldBe(ErrorCodes.PrimaryUnreachable);
        await ExecuteAsync("INSERT INTO t VALUES (2, 'after')");
        using var again = await Eventually.Async(
            async _ =>
            {
                try
                {
                    return await OpenAsync(position);
                }
                catch (DbSyncException exception) when (exception.Code == ErrorCodes.PrimaryUnreachable)
                {
                    return null; // a pooled connection of the server's past life
                }
            },
            opened => opened is not null,
            cancellationToken: Cancel);
        await again!.UntilAsync(s => s.Seen.Any(t => t.Changes.Count > 0), Cancel);
        again.Seen.SelectMany(t => t.Changes).ShouldBe(["Insert t 2,after"]);
    }

    [Fact]
    public async Task A_reader_that_blocks_ends_when_its_stream_is_closed()
    {
        var stream = await StartAsync();
        stream.Dispose();
        await stream.Ended.WaitAsync(TimeSpan.FromSeconds(30), Cancel);
    }

    public virtual async ValueTask DisposeAsync()
    {
        foreach (var made in _made) await made.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected async Task<StreamUnderTest> StartAsync(PostgresServer? server = null, string? before = null)
    {
        server ??= await ServerAsync();
        ConnectionString = new NpgsqlConnectionStringBuilder(await server.CreateDatabaseAsync(cancellationToken: Cancel)) { Pooling = false }.ConnectionString;
        if (before is not null) await ExecuteAsync(string.Format(CultureInfo.InvariantCulture, before, new NpgsqlConnectionStringBuilder(ConnectionString).Database));
        await ExecuteAsync($"{Schema}; CREATE PUBLICATION {Publication} FOR TABLE t");
        return await OpenAsync(Lsn.Parse(await ScalarAsync($"SELECT lsn::text FROM pg_create_logical_replication_slot('{Slot}', 'pgoutput')")));
    }

    private protected async Task<StreamUnderTest> OpenAsync(Lsn position)
    {
        var source = Create(ConnectionString, Slot);
        _made.Add(source);
        return new StreamUnderTest(await Eventually.Async(
            async token =>
            {
                try
                {
                    return await source.OpenAsync(position, token);
                }
                catch (DbSyncException exception) when (exception.Code == ErrorCodes.SlotInUse)
                {
                    return null; // the server has not noticed yet that the last stream is gone
                }
            },
            opened => opened is not null,
            cancellationToken: Cancel) ?? throw new InvalidOperationException("The stream was not opened."));
    }

    private protected async Task ExecuteAsync(string sql)
    {
        await using var connection = await ConnectAsync();
        await RunAsync(connection, sql);
    }

    private protected async Task<string> ScalarAsync(string sql)
    {
        await using var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return $"{await command.ExecuteScalarAsync(Cancel)}";
    }

    private protected async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(Cancel);
        return connection;
    }

    private protected static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>Lets the log move without a change that is published, and asks until the stream tells of it.</summary>
    private async Task<Lsn> UntilToldAsync(StreamUnderTest stream)
    {
        await ExecuteAsync("CREATE TABLE unpublished AS SELECT generate_series(1, 100); DROP TABLE unpublished");
        var target = Lsn.Parse(await ScalarAsync("SELECT pg_current_wal_flush_lsn()::text"));
        await stream.UntilAsync(
            s =>
            {
                s.Stream.RequestPosition();
                return s.Positions.Concat(s.Seen.Select(t => t.EndLsn)).Any(p => p >= target);
            }, Cancel);
        return target;
    }

    private async Task<Lsn> ConfirmedAsync() => Lsn.Parse(await ScalarAsync($"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{Slot}'"));

    private Task InactiveAsync() => Eventually.Async(
        async _ => await ScalarAsync($"SELECT active FROM pg_replication_slots WHERE slot_name = '{Slot}'") == "False", cancellationToken: Cancel);

    private async Task<string> RefusalAsync(Lsn position)
    {
        var source = Create(ConnectionString, Slot);
        _made.Add(source);
        return (await Should.ThrowAsync<DbSyncException>(() => source.OpenAsync(position, Cancel))).Code;
    }
}
