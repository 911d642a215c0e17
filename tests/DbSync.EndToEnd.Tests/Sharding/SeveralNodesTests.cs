using DbSync.EndToEnd.Tests.Faults;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Sharding;

/// <summary>A replica whose shards lie on two nodes, each a process with a slot of its own that applies only what it holds.</summary>
[Trait("Needs", "Server")]
public sealed class SeveralNodesTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE account (id bigint PRIMARY KEY, balance int NOT NULL, big text);
        ALTER TABLE account ALTER big SET STORAGE EXTERNAL;
        CREATE TABLE country (code text PRIMARY KEY);
        INSERT INTO account SELECT g, g, CASE WHEN g % 100 = 0 THEN repeat(md5(g::text), 100) END FROM generate_series(1, 5000) g;
        INSERT INTO country SELECT 'c' || g FROM generate_series(1, 10) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_row_is_on_its_node_and_nowhere_else_while_rows_move_and_a_node_is_killed()
    {
        var database = await postgres.CreateDatabaseAsync(Cancel);
        await using var east = await ToolNode.CreateAsync(
            database, Schema, Cancel, "--node", "east", "--shards", "a:1@east,b:1@east,c:2@west", "--shard-key", "account=id");
        await using var west = await ToolNode.CreateAsync(database, "", Cancel, "--node", "west");
        east.ShardFiles.Count.ShouldBe(0);
        east.Run();
        await using (var victim = west.Run(Failpoint.AfterCommit, 40))
        {
            await MoveAsync(database, rounds: 400);
            (await victim.WaitForExitAsync(TimeSpan.FromSeconds(60), Cancel)).ShouldBe(137, "it must die by SIGKILL at the failpoint");
        }
        west.Run();
        await MoveAsync(database, rounds: 50);
        await east.CatchUpAsync();
        await west.CatchUpAsync();
        await Task.WhenAll(east.StopAsync(), west.StopAsync());

        east.ShardFiles.Select(Path.GetFileName).ShouldBe(["a.1.db", "b.1.db"], ignoreOrder: true);
        west.ShardFiles.Select(Path.GetFileName).ShouldBe(["c.1.db"]);
        (await ReplicaOracle.CompareAsync(database, "dbsync_main", [.. east.ShardFiles, .. west.ShardFiles])).ShouldBeEmpty();

        (await east.VerifyAsync()).ShouldBe(0);
        (await west.VerifyAsync()).ShouldBe(0);
        Should.Throw<DbSyncException>(() => Sqlite.Replica.OpenRead(west.DataPath)).Code.ShouldBe(ErrorCodes.NotAllHere);
    }

    /// <summary>Rows change, and change the shard that they are in.</summary>
    private static async Task MoveAsync(string connectionString, int rounds)
    {
        var random = new Random(rounds);
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancel);
        for (var i = 0; i < rounds; i++)
        {
            var id = random.Next(1, 5000);
            await using var command = new NpgsqlCommand(
                $"UPDATE account SET id = -id WHERE id IN ({id}, -{id}) AND big IS NULL; UPDATE account SET balance = balance + 1 WHERE id BETWEEN {id} AND {id + 3}; INSERT INTO country VALUES ('n{rounds}x{i}')",
                connection);
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }
}
