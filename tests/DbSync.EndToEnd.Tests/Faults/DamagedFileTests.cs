using DbSync.EndToEnd.Tests.Cli;
using DbSync.Testing;
using Microsoft.Data.Sqlite;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>What happens to files: changed by the disk or by somebody, exchanged, taken from yesterday; and a disk that takes no more.</summary>
[Trait("Needs", "Server")]
public sealed class DamagedFileTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("exchanged")]
    [InlineData("of yesterday")]
    public async Task Files_that_are_not_todays_or_not_this_shards_are_noticed_before_they_are_followed(string damage)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, PairReader.Schema);
        await replica.JsonAsync(0, "init", "--shards", "2", "--shard-key", "left_side=id");
        string Shard(int number) => Path.Combine(replica.Data, NodeFile.FileNameOf(NodeFile.Load(replica.Data).Shards[number].Id, 1));
        await using (var node = await replica.StartAsync()) await StopAsync(node);
        if (damage == "of yesterday") File.Copy(Shard(0), Shard(0) + ".yesterday");
        await using (var node = await replica.StartAsync())
        {
            for (var i = 0; i < 10; i++) await replica.ExecuteAsync(PairReader.Change);
            await replica.CatchUpAsync(node);
            await StopAsync(node);
        }
        if (damage == "of yesterday") File.Move(Shard(0) + ".yesterday", Shard(0), overwrite: true);
        else
        {
            File.Move(Shard(0), Shard(0) + ".other");
            File.Move(Shard(1), Shard(0));
            File.Move(Shard(0) + ".other", Shard(1));
        }
        await using var healed = replica.Start("run");
        await Eventually.Async(() => NodeFile.Load(replica.Data) is { StaleSince: null } now && now.Shards.All(s => NodeFile.GenerationOf(s.File) == 2), TimeSpan.FromSeconds(60), () => healed.StandardError, Cancel);
        await replica.CatchUpAsync(healed);
        healed.StandardError.ShouldContain(damage == "exchanged" ? ErrorCodes.ShardFileMismatch : ErrorCodes.SlotAhead);
        healed.StandardError.Split("Everything is copied again").Length.ShouldBe(2, "one event, no loop");
        await StopAsync(healed);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Rows_that_the_disk_has_changed_are_found_by_the_comparison_in_the_background_and_mended()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync()) await StopAsync(node);
        FlipValues(replica.ShardFile, 50);
        await using var healed = replica.Start(["run", "--verify-every", "1s"]);
        await healed.WaitForLineAsync(l => l.Contains("is unlike the primary's (DBS5001)", StringComparison.Ordinal), TimeSpan.FromSeconds(30), cancellationToken: Cancel);
        await Eventually.Async(
            async _ => (await replica.JsonAsync(0, "status")).GetProperty("proof"), p => p.ValueKind != System.Text.Json.JsonValueKind.Null && p.GetProperty("tables").GetInt32() == 2, TimeSpan.FromSeconds(30), cancellationToken: Cancel);
        await StopAsync(healed);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_disk_that_takes_no_more_is_waited_for_and_the_node_goes_on_by_itself()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, PairReader.Schema);
        await replica.JsonAsync(0, "init");
        await using var node = replica.Start(["run"], shell: "trap '' XFSZ");
        await node.WaitForLineAsync(l => l == "streaming", TimeSpan.FromSeconds(60), cancellationToken: Cancel);
        await LimitAsync(node, "4096");
        await replica.ExecuteAsync("UPDATE left_side SET v = v + 1; UPDATE right_side SET v = v + 1");
        await node.WaitForLineAsync(l => l.Contains("The disk of the data directory refuses", StringComparison.Ordinal), TimeSpan.FromSeconds(30), cancellationToken: Cancel);
        await Eventually.Async(async _ => (await replica.JsonAsync(0, "status")).GetProperty("waiting").GetString(), w => w?.Contains("disk", StringComparison.Ordinal) == true, TimeSpan.FromSeconds(10), cancellationToken: Cancel);
        await LimitAsync(node, "unlimited");
        await replica.CatchUpAsync(node);
        node.StandardError.Split("The disk of the data directory refuses; trying again").Length.ShouldBe(2, "one event, no loop");
        await StopAsync(node);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    /// <summary>What a disk does: a letter of a value becomes another one, in pages that are sound otherwise.</summary>
    private static void FlipValues(string file, int count)
    {
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            using var command = new SqliteCommand("PRAGMA wal_checkpoint(TRUNCATE)", connection);
            command.ExecuteNonQuery();
        }
        var bytes = File.ReadAllBytes(file);
        var random = new Random(11);
        for (var flipped = 0; flipped < count;)
        {
            var at = random.Next(bytes.Length);
            if (bytes[at] != 'x') continue; // the filler of left_side
            bytes[at] = (byte)'X';
            flipped++;
        }
        File.WriteAllBytes(file, bytes);
    }

    private static async Task LimitAsync(TestProcess process, string bytes) =>
        (await ProcessRunner.RunAsync("prlimit", [$"--pid={process.ProcessId}", $"--fsize={bytes}:unlimited"], cancellationToken: Cancel)).ExitCode.ShouldBe(0);

    private static async Task StopAsync(TestProcess node)
    {
        node.Terminate();
        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(0, node.StandardError);
    }
}
