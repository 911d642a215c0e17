using DbSync.EndToEnd.Tests.Cli;
using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Security;

/// <summary>What DbSync writes is its owner's alone, and stays in its directory.</summary>
[Trait("Needs", "Server")]
public sealed class DataFileTests(PostgresFixture postgres)
{
    private const string Schema = "CREATE TABLE birds (id int PRIMARY KEY, name text); INSERT INTO birds SELECT g, 'x' FROM generate_series(1, 100) g;";
    private const UnixFileMode Owners = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Under_an_umask_that_forbids_nothing_every_file_is_its_owners_alone()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        var backups = replica.Beside("backups");
        await EndAsync(replica.Start(["init"], shell: "umask 000"));
        await using (var node = replica.Start(["run"], shell: "umask 000"))
        {
            await node.WaitForLineAsync(l => l == "streaming", TimeSpan.FromSeconds(60), cancellationToken: Cancel);
            await replica.ExecuteAsync("UPDATE birds SET name = 'y'");
            await replica.CatchUpAsync(node);
            await EndAsync(replica.Start(["backup", backups], shell: "umask 000"));
            await EndAsync(replica.Start(["verify", "--repair"], shell: "umask 000"));
            var entries = Directory.EnumerateFileSystemEntries(replica.Data, "*", SearchOption.AllDirectories).Concat(Directory.EnumerateFileSystemEntries(backups, "*", SearchOption.AllDirectories))
                .Concat([replica.Data, backups]).ToList();
            entries.ShouldContain(e => e.EndsWith("-wal", StringComparison.Ordinal));
            entries.Where(e => (File.GetUnixFileMode(e) & ~Owners) != UnixFileMode.None).ShouldBeEmpty();
            node.Terminate();
            (await node.WaitForExitAsync(cancellationToken: Cancel)).ShouldBe(0);
        }
    }

    [Fact]
    public async Task A_shard_file_that_is_a_link_is_neither_written_nor_read()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using (var node = await replica.StartAsync())
        {
            node.Terminate();
            await node.WaitForExitAsync(cancellationToken: Cancel);
        }
        var elsewhere = replica.Beside("elsewhere.db");
        File.Move(replica.ShardFile, elsewhere);
        File.CreateSymbolicLink(replica.ShardFile, elsewhere);
        var before = File.ReadAllBytes(elsewhere);

        (await replica.JsonAsync(1, "run")).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.ShardFileIsLink);
        (await replica.JsonAsync(1, "sql", "SELECT 1")).GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.ShardFileIsLink);
        Should.Throw<DbSyncException>(() => Replica.OpenRead(replica.Data)).Code.ShouldBe(ErrorCodes.ShardFileIsLink);
        File.ReadAllBytes(elsewhere).ShouldBe(before);
    }

    [Theory]
    [InlineData("../outside.db")]
    [InlineData("/tmp/outside.db")]
    [InlineData(".hidden.db")]
    [InlineData("a\\u0000.db")]
    [InlineData("a/b.db")]
    public async Task A_name_that_leads_out_of_the_directory_is_refused(string file)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        var path = Path.Combine(replica.Data, NodeFile.FileName);
        File.WriteAllText(path, File.ReadAllText(path).Replace("main.1.db", file, StringComparison.Ordinal));
        foreach (var command in new[] { "run", "status", "verify" })
            (await replica.RunAsync(command)).StandardError.ShouldContain(ErrorCodes.IdentityMismatch);
    }

    private static async Task EndAsync(TestProcess process)
    {
        await using (process) (await process.WaitForExitAsync(TimeSpan.FromSeconds(60), Cancel)).ShouldBe(0, process.StandardError);
    }
}
