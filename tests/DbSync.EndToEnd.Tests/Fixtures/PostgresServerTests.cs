using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Fixtures;

[Trait("Needs", "Server")]
public sealed class PostgresServerTests(PostgresFixture postgres, Postgres18Fixture postgres18)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Shared_server_decodes_logically_and_gives_each_test_a_database()
    {
        var one = await postgres.CreateDatabaseAsync(Cancellation);
        var other = await postgres.CreateDatabaseAsync(Cancellation);

        one.ShouldNotBe(other);
        (await ReadAsync(one, "SHOW wal_level")).ShouldBe("logical");
        (await ReadAsync(one, "SELECT current_database()")).ShouldNotBe(await ReadAsync(other, "SELECT current_database()"));
    }

    [Fact]
    public async Task Options_reach_the_server()
    {
        await using var server = await PostgresServer.StartAsync(
            new PostgresServerOptions
            {
                WalSenderTimeout = TimeSpan.FromSeconds(3),
                MaxSlotWalKeepSizeMb = 64,
                LogicalDecodingWorkMemKb = 64,
                RequirePasswords = true,
                Settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["application_name"] = "it's one" },
            },
            Cancellation);

        (await ReadAsync(server.ConnectionString, "SHOW wal_sender_timeout")).ShouldBe("3s");
        (await ReadAsync(server.ConnectionString, "SHOW max_slot_wal_keep_size")).ShouldBe("64MB");
        (await ReadAsync(server.ConnectionString, "SHOW logical_decoding_work_mem")).ShouldBe("64kB");
        (await ReadAsync(server.ConnectionString, "SHOW application_name")).ShouldBe("it's one");
        await server.ExecuteAsync("CREATE ROLE app LOGIN PASSWORD 'right'", cancellationToken: Cancellation);
        (await ReadAsync(server.ConnectionStringFor("postgres", "app", "right"), "SELECT current_user")).ShouldBe("app");
        await Should.ThrowAsync<PostgresException>(() => ReadAsync(server.ConnectionStringFor("postgres", "app", "wrong"), "SELECT 1"));
    }

    [Fact]
    public async Task Comes_back_on_the_same_port_with_its_data_after_every_way_to_stop()
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancellation);
        var (port, first) = (server.Port, server.ProcessId);
        await server.ExecuteAsync("CREATE TABLE kept AS SELECT 42 AS value", cancellationToken: Cancellation);

        await server.RestartAsync(ShutdownMode.Immediate, Cancellation);
        await server.RestartAsync(ShutdownMode.Fast, Cancellation);
        await server.RestartAsync(ShutdownMode.Smart, Cancellation);
        await server.KillAsync(Cancellation);
        server.ProcessId.ShouldBe(0);
        await server.StartAgainAsync(Cancellation);

        server.Port.ShouldBe(port);
        server.ProcessId.ShouldNotBe(first);
        (await ReadAsync(server.ConnectionString, "SELECT value FROM kept")).ShouldBe(42);
    }

    [Fact]
    public async Task A_killed_server_is_down_at_once_and_its_busy_sessions_with_it()
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: Cancellation);
        var busy = ReadAsync(server.ConnectionString, "SELECT count(*)::int FROM generate_series(1, 10000000000)");
        await Eventually.Async(
            async _ => (int)(await ReadAsync(server.ConnectionString, "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE '%10000000000)'"))! > 0,
            cancellationToken: Cancellation);

        await server.KillAsync(Cancellation);

        await Should.ThrowAsync<NpgsqlException>(() => busy);
        await Should.ThrowAsync<NpgsqlException>(() => ReadAsync(server.ConnectionString, "SELECT 1"));
    }

    [Fact]
    public async Task A_database_goes_with_its_slots()
    {
        var server = await postgres.GetServerAsync(Cancellation);
        var database = await server.CreateDatabaseAsync("goes with slots", Cancellation);
        await ReadAsync(database, "SELECT slot_name::text FROM pg_create_logical_replication_slot('going', 'pgoutput')");

        await server.DropDatabaseAsync("goes with slots", Cancellation);

        (await ReadAsync(server.ConnectionString, "SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = 'going'")).ShouldBe(0);
        (await ReadAsync(server.ConnectionString, "SELECT count(*)::int FROM pg_database WHERE datname = 'goes with slots'")).ShouldBe(0);
    }

    [Fact]
    public async Task PostgreSQL_18_runs_beside()
    {
        Assert.SkipUnless(Postgres18Fixture.IsAvailable, Postgres18Fixture.SkipReason);

        var server = await postgres18.GetServerAsync(Cancellation);

        server.Version.Major.ShouldBe(18);
        (await ReadAsync(server.ConnectionString, "SELECT count(*)::int FROM pg_collation WHERE collprovider = 'i'")).ShouldNotBe(0);
    }

    private static async Task<object?> ReadAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        return await command.ExecuteScalarAsync(Cancellation);
    }
}
