using DbSync.Postgres;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Sharding;

/// <summary>A new version of the shard map, arriving in the change log while rows change.</summary>
[Trait("Needs", "Server")]
public sealed class NewMapTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_new_map_holds_from_its_own_position_on_and_survives_a_restart()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel),
            "CREATE TABLE account (id bigint PRIMARY KEY, balance int NOT NULL); INSERT INTO account SELECT g, 0 FROM generate_series(1, 5000) g; CREATE TABLE country (code int PRIMARY KEY)",
            "account, country", Cancel, shards: 3, ("account", "id"));
        node.Run();
        await node.CatchUpAsync();
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(() => WriteAsync(node.ConnectionString, stop.Token));

        var first = await NewestAsync(node.ConnectionString);
        var heavier = new ShardTopology([.. first.Map.Topology.Shards.Select((s, i) => s with { Weight = i == 0 ? 3 : 1 })]);
        var second = first with { Map = ShardMapPlanner.Plan(first.Map, heavier).Target };
        await node.ExecuteAsync(ShardMapTable.InsertSql("main", second));
        (await Should.ThrowAsync<PostgresException>(() => node.ExecuteAsync(ShardMapTable.InsertSql("main", second)))).SqlState
            .ShouldBe(PostgresErrorCodes.UniqueViolation, "who comes second has lost");
        await node.CatchUpAsync();
        await stop.CancelAsync();
        await writer;
        await node.CatchUpAsync();
        await node.StopAsync();
        node.Run(); // by the map that its files hold
        await node.ExecuteAsync("UPDATE account SET balance = balance + 1");
        await node.CatchUpAsync();
        await node.StopAsync();

        var files = Directory.GetFiles(node.DataPath, "*.db");
        (await ReplicaOracle.CompareAsync(node.ConnectionString, "dbsync_main", files)).ShouldBeEmpty();
        foreach (var file in files)
        {
            using var database = new Sqlite.SqliteDatabase(file, "shard", readOnly: true);
            database.QueryInteger("SELECT version FROM \"dbsync.layout\"").ShouldBe(2);
        }
    }

    private static async Task<ShardLayout> NewestAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancel);
        return (await ShardMapTable.ReadNewestAsync(connection, "main", Cancel))!;
    }

    private static async Task WriteAsync(string connectionString, CancellationToken cancellationToken)
    {
        var random = new Random(3);
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(CancellationToken.None);
        while (!cancellationToken.IsCancellationRequested)
        {
            var id = random.Next(1, 5000);
            await using var command = new NpgsqlCommand(
                $"UPDATE account SET balance = balance + 1 WHERE id = {id}; UPDATE account SET id = -id WHERE id IN ({id + 1}, -{id + 1}); DELETE FROM account WHERE id IN ({id + 2}, -{id + 2}); INSERT INTO account VALUES ({id + 2}, 5) ON CONFLICT (id) DO NOTHING",
                connection);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }
}
