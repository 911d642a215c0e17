using DbSync.Cli;
using DbSync.EndToEnd.Tests.Cli;
using DbSync.Testing;
using Microsoft.Data.Sqlite;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>
/// The disk is lost: <c>dbsync backup</c> and <c>dbsync restore</c>. What was restored goes on from the slot, or, where the log is gone, is compared
/// with the primary and reads only the rows that differ.
/// </summary>
[Trait("Needs", "Server")]
public sealed class BackupTests(PostgresFixture postgres)
{
    /// <summary>The failpoints on the way.</summary>
    public static readonly string[] Points =
        [Failpoint.BeforeBackupNamed, Failpoint.BeforeRestoreNamed, Failpoint.AfterGapRecorded, Failpoint.AfterGapPassed, Failpoint.AfterMended];

    private const string Schema = PairReader.Schema + "CREATE TABLE log (line text); ALTER TABLE log REPLICA IDENTITY FULL; INSERT INTO log SELECT 'line ' || g FROM generate_series(1, 100) g;";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData()]
    [InlineData("--shards", "3", "--shard-key", "left_side=id")]
    public async Task A_lost_disk_is_restored_from_a_backup_that_was_taken_under_writes_and_only_what_differs_is_read(params string[] sharding)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, ["init", .. sharding]);
        var backups = replica.Beside("backups");
        await using (var node = await replica.StartAsync())
        {
            using var stop = new CancellationTokenSource();
            var writer = replica.WriteAsync(PairReader.Change, stop.Token);
            await replica.JsonAsync(0, "backup", backups);
            var second = await replica.JsonAsync(0, "backup", backups, "--keep", "1");
            second.GetProperty("removed").GetArrayLength().ShouldBe(1);
            Directory.GetDirectories(backups).ShouldBe([second.GetProperty("directory").GetString()!]);
            await stop.CancelAsync();
            await writer;
            await replica.ExecuteAsync("UPDATE left_side SET filler = 'later' WHERE id BETWEEN 7 AND 56; DELETE FROM right_side WHERE id > 2990; INSERT INTO left_side VALUES (9000, 9, 'new'); INSERT INTO log VALUES ('last')");
            await replica.CatchUpAsync(node);
            var applied = LiveStatus.TryLoad(replica.Data)!.AppliedLsn;
            await Eventually.Async(
                async _ => await replica.ScalarAsync<bool>($"SELECT confirmed_flush_lsn >= '{applied}' FROM pg_replication_slots WHERE database = current_database()"), cancellationToken: Cancel);
            node.Kill();
            await node.WaitForExitAsync(cancellationToken: Cancel);
        }
        await Eventually.Async(async _ => await replica.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots WHERE database = current_database() AND active") == 0, cancellationToken: Cancel);
        Directory.Delete(replica.Data, recursive: true);
        await replica.JsonAsync(0, "restore", backups);

        await using var restored = replica.Start("run");
        await replica.CatchUpAsync(restored);
        restored.StandardError.ShouldContain("rows differed and are mended");
        LiveStatus.TryLoad(replica.Data)!.RowsCopied.ShouldBeLessThan(1000, "of the two large tables only the rows that differ are read");
        await replica.ExecuteAsync(PairReader.Change);
        await replica.CatchUpAsync(restored);
        await StopAsync(restored);
        (await replica.CompareAsync()).ShouldBeEmpty();
        Modes(backups).ShouldBeEmpty();
        Modes(replica.Data).ShouldBeEmpty();
    }

    [Fact]
    public async Task While_the_slot_reaches_back_the_log_is_enough()
    {
        await using var replica = await StoppedAsync();
        var backups = replica.Beside("backups");
        await replica.JsonAsync(0, "backup", backups);
        for (var i = 0; i < 20; i++) await replica.ExecuteAsync(PairReader.Change);
        Directory.Delete(replica.Data, recursive: true);
        await replica.JsonAsync(0, "restore", backups);

        await using var restored = replica.Start("run");
        await replica.CatchUpAsync(restored);
        LiveStatus.TryLoad(replica.Data)!.ChunksRead.ShouldBe(0);
        restored.StandardError.ShouldNotContain("mended");
        await StopAsync(restored);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_damaged_backup_is_refused_and_nothing_is_touched()
    {
        await using var replica = await StoppedAsync();
        var path = (await replica.JsonAsync(0, "backup", replica.Beside("backups"))).GetProperty("directory").GetString()!;
        var node = File.ReadAllText(Path.Combine(replica.Data, NodeFile.FileName));
        var files = Directory.GetFiles(replica.Data).Order(StringComparer.Ordinal).ToList();
        foreach (var (name, change) in new (string, Func<byte[], byte[]?>)[]
        {
            ("main.1.db", Flip), ("main.1.db", b => b[..^4096]), ("main.1.db", b => [.. b, 0]), ("main.1.db", _ => null),
            ("manifest.json", Flip), ("manifest.json", b => b[..20]), ("manifest.json", _ => null),
        })
        {
            var victim = Path.Combine(path, name);
            var whole = File.ReadAllBytes(victim);
            if (change([.. whole]) is { } changed) File.WriteAllBytes(victim, changed);
            else File.Delete(victim);
            using var output = new StringWriter();
            (await Tool.RunAsync(["restore", path, "--replace", "--data", replica.Data, "--json"], output, TextWriter.Null)).ShouldBe(1);
            output.ToString().ShouldContain(ErrorCodes.BackupDamaged);
            File.WriteAllBytes(victim, whole);
        }
        File.ReadAllText(Path.Combine(replica.Data, NodeFile.FileName)).ShouldBe(node);
        Directory.GetFiles(replica.Data).Order(StringComparer.Ordinal).ShouldBe(files);

        static byte[] Flip(byte[] bytes)
        {
            bytes[bytes.Length / 2] ^= 1;
            return bytes;
        }
    }

    [Fact]
    public async Task A_live_directory_and_newer_files_are_not_overwritten_unless_asked()
    {
        await using var replica = await StoppedAsync();
        var backups = replica.Beside("backups");
        await replica.JsonAsync(0, "backup", backups);
        await using (var node = await replica.StartAsync())
        {
            await replica.ExecuteAsync(PairReader.Change);
            await replica.CatchUpAsync(node);
            (await replica.JsonAsync(1, "restore", backups)).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.DataDirectoryInUse);
            await StopAsync(node);
        }
        (await replica.JsonAsync(1, "restore", backups)).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.BackupOlder);
        await replica.JsonAsync(0, "restore", backups, "--replace");
        await using var restored = replica.Start("run");
        await replica.CatchUpAsync(restored);
        await StopAsync(restored);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    public static TheoryData<string> AllPoints => [.. Points];

    [Theory]
    [MemberData(nameof(AllPoints))]
    public async Task A_kill_on_the_way_leaves_the_old_or_the_new_and_the_next_life_goes_on(string point)
    {
        await using var replica = await StoppedAsync();
        var backups = replica.Beside("backups");
        if (point == Failpoint.BeforeBackupNamed)
        {
            await DieAsync(replica, point, "backup", backups);
            (await replica.JsonAsync(1, "restore", backups)).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.BackupDamaged);
        }
        var backup = (await replica.JsonAsync(0, "backup", backups)).GetProperty("directory").GetString()!;
        Directory.GetDirectories(backups).ShouldBe([backup], "what a killed one left is gone");
        await using (var node = await replica.StartAsync()) // the slot goes on beyond the backup
        {
            await replica.ExecuteAsync("UPDATE left_side SET v = v + 1 WHERE id <= 100; UPDATE right_side SET v = v + 1 WHERE id <= 100");
            await replica.CatchUpAsync(node);
            await StopAsync(node);
        }
        if (point == Failpoint.BeforeRestoreNamed)
        {
            await DieAsync(replica, point, "restore", backups, "--replace");
            (await replica.CompareAsync()).ShouldBeEmpty("the old files are as they were");
        }
        await replica.JsonAsync(0, "restore", backups, "--replace");
        if (point is Failpoint.AfterGapRecorded or Failpoint.AfterGapPassed or Failpoint.AfterMended) await DieAsync(replica, point, "run");
        await using var restored = replica.Start("run");
        await replica.CatchUpAsync(restored);
        await StopAsync(restored);
        (await replica.CompareAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_new_node_is_seeded_from_a_running_one_or_from_a_backup(bool fromRunning)
    {
        await using var replica = await StoppedAsync();
        var backups = replica.Beside("backups");
        await replica.JsonAsync(0, "backup", backups);
        await using var first = await replica.StartAsync();
        await replica.ExecuteAsync(PairReader.Change);
        await replica.CatchUpAsync(first);
        var other = replica.Beside("other");
        await replica.JsonAsync(0, "restore", fromRunning ? replica.Data : backups, "--node", "second", "--data", other);
        await using var second = await replica.StartAsync(other);
        await replica.ExecuteAsync(PairReader.Change);
        await Eventually.Async(
            async _ => (await replica.JsonAsync(0, "verify", "--data", other)).GetProperty("differences").GetInt64(), d => d == 0, TimeSpan.FromSeconds(30), cancellationToken: Cancel);
        if (fromRunning) LiveStatus.TryLoad(other)!.ChunksRead.ShouldBe(0, "nothing is read from the primary's tables");
        (await replica.ScalarAsync<long>("SELECT count(*) FROM dbsync.node")).ShouldBe(2);
        await StopAsync(second);
        await StopAsync(first);
    }

    [Fact]
    public async Task A_row_that_somebody_deleted_here_is_missed_and_mended_by_the_node_itself()
    {
        await using var replica = await StoppedAsync();
        using (var connection = new SqliteConnection($"Data Source={replica.ShardFile};Pooling=False"))
        {
            connection.Open();
            using var command = new SqliteCommand("DELETE FROM left_side WHERE id IN (5, 6); UPDATE left_side SET filler = 'wrong' WHERE id = 7; INSERT INTO left_side VALUES (5000, 1, 'extra')", connection);
            command.ExecuteNonQuery().ShouldBe(4);
        }
        await replica.ExecuteAsync("UPDATE left_side SET v = v + 1 WHERE id = 5; UPDATE right_side SET v = v + 1 WHERE id = 5; INSERT INTO left_side VALUES (5000, 2, 'mine')");
        await using var node = replica.Start("run");
        await replica.CatchUpAsync(node);
        node.StandardError.ShouldContain("DBS5001");
        node.StandardError.ShouldContain("2 rows differed and are mended"); // 5 and 5000 were put right by the log already
        await StopAsync(node);
        (await replica.CompareAsync()).ShouldBeEmpty();
        ReseedFile.Load(replica.Data).Tries.Select(t => t.Cause).ShouldBe([ReseedCause.Diverged]);
    }

    private async Task<CliReplica> StoppedAsync()
    {
        var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        await StopAsync(node);
        return replica;
    }

    private static async Task DieAsync(CliReplica replica, string point, params string[] arguments)
    {
        await using var victim = replica.Start(arguments, point);
        (await victim.WaitForExitAsync(TimeSpan.FromSeconds(60), Cancel)).ShouldBe(137, victim.StandardError);
    }

    private static async Task StopAsync(TestProcess node)
    {
        node.Terminate();
        (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(0, node.StandardError);
    }

    /// <summary>Files and directories that somebody else than their owner may use.</summary>
    private static IEnumerable<string> Modes(string directory) => Directory.EnumerateFileSystemEntries(directory, "*", SearchOption.AllDirectories).Append(directory)
        .Where(e => (File.GetUnixFileMode(e) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute)) != UnixFileMode.None);
}
