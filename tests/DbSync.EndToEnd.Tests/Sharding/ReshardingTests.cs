using System.Text.Json;
using DbSync.EndToEnd.Tests.Cli;
using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Sharding;

/// <summary><c>dbsync shards add</c>, <c>remove</c>, <c>weigh</c> and what follows them, by the real tool, while an application writes and processes are killed.</summary>
[Trait("Needs", "Server")]
public sealed class ReshardingTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE account (id bigint PRIMARY KEY, balance int NOT NULL);
        INSERT INTO account SELECT g, 0 FROM generate_series(1, 4000) g
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Other_weights_are_reached_step_by_step_and_taken_back_whoever_is_killed()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init", "--shards", "a:1,b:1", "--shard-key", "account=id");
        await using var first = await replica.StartAsync();
        using var stop = new CancellationTokenSource();
        var writing = replica.WriteAsync(() => $"UPDATE account SET balance = balance + 1 WHERE id = {Random.Shared.Next(1, 4000)}", stop.Token);

        var dry = await replica.JsonAsync(0, "shards", "weigh", "a:1,b:3");
        dry.GetProperty("buckets").GetInt32().ShouldBe(4096);
        (await replica.JsonAsync(0, "shards", "list")).GetProperty("mapVersion").GetInt64().ShouldBe(1, "without --yes nothing is changed");
        Code(await replica.JsonAsync(2, "shards", "rollback")).ShouldBe(ErrorCodes.InvalidOption);
        Code(await replica.JsonAsync(2, "shards", "rollback", "--yes")).ShouldBe(ErrorCodes.InvalidOption, "nothing is on its way");

        await using (var killed = replica.Start(["shards", "weigh", "a:1,b:3", "--yes"]))
        {
            await Eventually.Async(_ => replica.ScalarAsync<long>("SELECT max(version) FROM dbsync.shard_map"), version => version > 1, cancellationToken: Cancel);
            first.Kill();
            killed.Kill();
            await first.WaitForExitAsync();
            await killed.WaitForExitAsync();
        }
        Code(await replica.JsonAsync(1, "shards", "continue")).ShouldBe(ErrorCodes.NoNodeMoves);
        await using var second = await replica.StartAsync();
        Code(await replica.JsonAsync(1, "shards", "weigh", "a:1,b:2", "--yes")).ShouldBe(ErrorCodes.BucketsOnTheirWay);
        ShouldBe(await replica.JsonAsync(0, "shards", "continue"), "switched", 4096, 12288);
        (await replica.JsonAsync(0, "verify")).GetProperty("equal").GetBoolean().ShouldBeTrue();
        ShouldBe(await replica.JsonAsync(0, "shards", "rollback", "--yes"), "settled", 8192, 8192);
        ShouldBe(await replica.JsonAsync(0, "shards", "weigh", "b:3", "--yes"), "switched", 4096, 12288);
        ShouldBe(await replica.JsonAsync(0, "shards", "settle", "--yes"), "settled", 4096, 12288);

        await stop.CancelAsync();
        await writing;
        await replica.CatchUpAsync(second);
        (await replica.CompareAsync()).ShouldBeEmpty();
        (await replica.JsonAsync(0, "sql", "SELECT count(*) FROM account")).GetProperty("rows")[0][0].GetInt64().ShouldBe(4000);
    }

    [Fact]
    public async Task A_shard_comes_and_another_goes_under_load_whoever_is_killed()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema + "; CREATE TABLE country (code int PRIMARY KEY); INSERT INTO country VALUES (1), (2)");
        await replica.JsonAsync(0, "init", "--shards", "a:1,b:1", "--shard-key", "account=id");
        await using var first = await replica.StartAsync();
        using var stop = new CancellationTokenSource();
        var writing = replica.WriteAsync(() => $"UPDATE account SET balance = balance + 1 WHERE id = {Random.Shared.Next(1, 4000)}", stop.Token);
        using var open = Replica.OpenRead(replica.Data);

        await using (var killed = replica.Start(["shards", "add", "c:2", "--yes"]))
        {
            await Eventually.Async(_ => Task.FromResult(NodeFile.Load(replica.Data).Shards), shards => shards.Count == 3, cancellationToken: Cancel);
            first.Kill();
            killed.Kill();
            await first.WaitForExitAsync();
            await killed.WaitForExitAsync();
        }
        await using var second = await replica.StartAsync();
        ShouldBe(await replica.JsonAsync(0, "shards", "continue"), "switched", 4096, 4096, 8192);
        (await replica.JsonAsync(0, "verify")).GetProperty("equal").GetBoolean().ShouldBeTrue();
        Should.Throw<DbSyncException>(() => Replica.Refresh(open)).Code.ShouldBe(ErrorCodes.NotAllHere, "it is not over the new shard");
        ShouldBe(await replica.JsonAsync(0, "shards", "settle", "--yes"), "settled", 4096, 4096, 8192);
        ShouldBe(await replica.JsonAsync(0, "shards", "remove", "a", "--yes"), "switched", 0, 5461, 10923);
        ShouldBe(await replica.JsonAsync(0, "shards", "rollback", "--yes"), "settled", 4096, 4096, 8192);
        ShouldBe(await replica.JsonAsync(0, "shards", "remove", "a", "--yes"), "switched", 0, 5461, 10923);
        ShouldBe(await replica.JsonAsync(0, "shards", "settle", "--yes"), "settled", 5461, 10923);

        await stop.CancelAsync();
        await writing;
        await replica.CatchUpAsync(second);
        (await replica.CompareAsync()).ShouldBeEmpty();
        NodeFile.Load(replica.Data).Shards.Select(s => s.Id).ShouldBe(["b", "c"]);
        (await replica.JsonAsync(0, "sql", "SELECT count(*), (SELECT count(*) FROM country) FROM account")).GetProperty("rows")[0].EnumerateArray().Select(v => v.GetInt64()).ShouldBe([4000, 2]);
        open.Close();
        await Eventually.Async(() => !File.Exists(Path.Combine(replica.Data, "a.1.db")), cancellationToken: Cancel);
    }

    private static void ShouldBe(JsonElement answer, string stage, params int[] buckets)
    {
        answer.GetProperty("stage").GetString().ShouldBe(stage);
        answer.GetProperty("shards").EnumerateArray().Select(s => s.GetProperty("buckets").GetInt32()).ShouldBe(buckets);
    }

    private static string? Code(JsonElement answer) => answer.GetProperty("error").GetProperty("code").GetString();
}
