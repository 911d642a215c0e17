using DbSync.Postgres.Types;
using DbSync.Testing;
using Npgsql;

namespace DbSync.Postgres.Tests.Stream;

/// <summary>What a server once sent means what it meant then; and what servers send today means the same.</summary>
public sealed class RecordedStreamTests(PostgresFixture postgres, Postgres18Fixture postgres18) : IClassFixture<Postgres18Fixture>
{
    /// <summary>Set to 1 to record anew what <see cref="A_server_of_today_says_the_same"/> receives.</summary>
    private const string RecordVariable = "DBSYNC_RECORD";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RecordedStream.Whole)]
    [InlineData(RecordedStream.InBlocks)]
    public void A_recorded_stream_is_decoded_to_what_it_said(string name) =>
        RecordedStream.Describe(RecordedStream.Load(name)).ShouldBe(RecordedStream.Golden(name));

    [Theory]
    [InlineData(RecordedStream.Whole, "BCDIMORTUY")]
    [InlineData(RecordedStream.InBlocks, "ABCDEIRSTUcY")]
    public void A_recorded_stream_holds_every_kind_of_message(string name, string kinds) =>
        RecordedStream.Load(name).Select(m => (char)m[0]).Distinct().Order().ShouldBe(kinds.Order());

    [Theory]
    [InlineData(15)]
    [InlineData(18)]
    [Trait("Needs", "Server")]
    public async Task A_server_of_today_says_the_same(int version)
    {
        if (version == 18) Assert.SkipUnless(Postgres18Fixture.IsAvailable, Postgres18Fixture.SkipReason);
        var server = await (version == 18 ? postgres18 : postgres).GetServerAsync(Cancel);
        foreach (var (name, options) in new[] { (RecordedStream.Whole, "'proto_version', '1'"), (RecordedStream.InBlocks, "'proto_version', '2', 'streaming', 'on'") })
        {
            var messages = await RecordAsync(await server.CreateDatabaseAsync(cancellationToken: Cancel), options, name == RecordedStream.InBlocks);
            var said = RecordedStream.Describe(messages);
            if (version == 15 && Environment.GetEnvironmentVariable(RecordVariable) == "1") RecordedStream.Save(name, messages, said);
            said.ShouldBe(RecordedStream.Golden(name));
        }
    }

    private static async Task<List<byte[]>> RecordAsync(string connectionString, string options, bool inBlocks)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        SessionSettings.Pin(settings);
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(Cancel);
        var slot = $"recorded_{Guid.NewGuid():n}";
        await RunAsync(connection, RecordedStream.Schema);
        await RunAsync(connection, $"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput'); SELECT pg_replication_origin_create('recorded'); SET logical_decoding_work_mem = '64kB'");
        if (inBlocks) await WorkInBlocksAsync(settings.ConnectionString);
        else
            foreach (var transaction in RecordedStream.Workload) await RunAsync(connection, $"BEGIN; {transaction}; COMMIT");
        var messages = new List<byte[]>();
        await using var command = new NpgsqlCommand(
            $"SELECT data FROM pg_logical_slot_get_binary_changes('{slot}', NULL, NULL, {options}, 'publication_names', 'recorded', 'messages', 'true')",
            connection);
        await using (var reader = await command.ExecuteReaderAsync(Cancel))
        {
            while (await reader.ReadAsync(Cancel)) messages.Add(reader.GetFieldValue<byte[]>(0));
        }
        var reset = inBlocks ? "" : "SELECT pg_replication_origin_session_reset(); ";
        await RunAsync(connection, $"SELECT pg_drop_replication_slot('{slot}'); {reset}SELECT pg_replication_origin_drop('recorded')");
        return messages;
    }

    private static async Task WorkInBlocksAsync(string connectionString)
    {
        var connections = new Dictionary<int, NpgsqlConnection>();
        foreach (var (number, sql) in RecordedStream.Streamed)
        {
            if (!connections.TryGetValue(number, out var connection))
            {
                connections.Add(number, connection = new NpgsqlConnection(connectionString));
                await connection.OpenAsync(Cancel);
            }
            foreach (var statement in sql.Split("; ")) await RunAsync(connection, statement);
        }
        foreach (var connection in connections.Values) await connection.DisposeAsync();
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
