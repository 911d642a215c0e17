using DbSync.EndToEnd.Tests.Replication;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>
/// Prepared transactions, small and so large that they are streamed: nothing of one is visible before COMMIT PREPARED, whatever dies between
/// the two, and all of it afterwards.
/// </summary>
[Trait("Needs", "Server")]
public sealed class PreparedTransactionTests
{
    private const string Schema =
        """
        CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO t SELECT g, 'first' FROM generate_series(1, 100) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(10)]
    [InlineData(5000)]
    public async Task Nothing_is_visible_before_the_commit_although_both_sides_die(int rows)
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { LogicalDecodingWorkMemKb = 64 }, Cancel);
        await using var node = await ToolNode.CreateAsync(await server.CreateDatabaseAsync(cancellationToken: Cancel), Schema, Cancel);
        var process = node.Run();
        await node.CatchUpAsync();

        foreach (var dies in new[] { "the node", "the server", "both" })
        {
            await PrepareAsync(node, $"kept {dies}", $"SAVEPOINT a; INSERT INTO t SELECT g, 'rolled back' FROM generate_series(100001, {100_000 + rows}) g; ROLLBACK TO a; INSERT INTO t SELECT g, '{dies}' FROM generate_series(1001, {1000 + rows}) g");
            await PrepareAsync(node, $"dropped {dies}", $"INSERT INTO t SELECT g, '{dies}' FROM generate_series(200001, {200_000 + rows}) g");
            await node.ExecuteAsync($"UPDATE t SET v = 'between {dies}' WHERE id = 1");
            await node.CatchUpAsync();
            Rows(node).ShouldBe(100, dies);
            if (dies != "the server")
            {
                process.Kill();
                await process.WaitForExitAsync(cancellationToken: Cancel);
            }
            if (dies != "the node") await server.RestartAsync(ShutdownMode.Immediate, Cancel);
            if (dies != "the server") process = node.Run();
            NpgsqlConnection.ClearAllPools();
            await node.ExecuteAsync($"UPDATE t SET v = 'still between {dies}' WHERE id = 2");
            await node.CatchUpAsync();
            Rows(node).ShouldBe(100, dies);

            await node.ExecuteAsync($"ROLLBACK PREPARED 'dropped {dies}'");
            await node.ExecuteAsync($"COMMIT PREPARED 'kept {dies}'");
            await node.CatchUpAsync();
            Rows(node).ShouldBe(100 + rows, dies);
            await node.ExecuteAsync("DELETE FROM t WHERE id > 100");
            await node.CatchUpAsync();
        }
        await node.StopAsync();
        (await ReplicaOracle.CompareAsync(node.ConnectionString, "dbsync_main", node.ShardFiles)).ShouldBeEmpty();
    }

    private static long Rows(ToolNode node) => ShardRows.Count(node.ShardFiles.Single(), "t");

    private static async Task PrepareAsync(ToolNode node, string name, string sql)
    {
        await using var connection = new NpgsqlConnection(node.ConnectionString);
        await connection.OpenAsync(Cancel);
        foreach (var statement in new[] { "BEGIN" }.Concat(sql.Split("; ")).Append($"PREPARE TRANSACTION '{name}'"))
        {
            await using var command = new NpgsqlCommand(statement, connection);
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }
}
