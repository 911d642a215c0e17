using System.Text;
using DbSync.Cli;
using DbSync.EndToEnd.Tests.Cli;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Security;

/// <summary>A password that is in every connection string is in nothing that DbSync writes or shows, whatever goes wrong.</summary>
[Trait("Needs", "Server")]
public sealed class SecretTests(PostgresFixture postgres, RedisFixture redis)
{
    private const string Canary = "kanarienvogel-4711";
    private const string RowValue = "zeisig-0815";
    private const string Schema = $"CREATE TABLE birds (id int PRIMARY KEY, name text); INSERT INTO birds SELECT g, '{RowValue}' FROM generate_series(1, 100) g;";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_password_is_in_no_output_no_file_and_no_process_list()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        replica.Primary += $";Password={Canary}";
        var said = new StringBuilder();
        async Task RunAsync(params string[] arguments)
        {
            if (!arguments.Contains("--primary", StringComparer.Ordinal)) arguments = [.. arguments, "--primary", replica.Primary];
            if (!arguments.Contains("--data", StringComparer.Ordinal)) arguments = [.. arguments, "--data", replica.Data];
            foreach (string[] form in new[] { arguments, [.. arguments, "--json"] })
            {
                using var output = new StringWriter();
                using var error = new StringWriter();
                await Tool.RunAsync(form, output, error);
                said.Append(output).Append(error);
            }
        }
        await RunAsync("doctor");
        await RunAsync("init", "--dry-run");
        await RunAsync("init");
        await using (var node = await replica.StartAsync())
        {
            await replica.ExecuteAsync("UPDATE birds SET id = -id WHERE id < 10");
            await replica.CatchUpAsync(node);
            foreach (var command in new[] { "status", "verify", "doctor" }) await RunAsync(command);
            await RunAsync("backup", replica.Beside("backups"));
            await RunAsync("resync", "--table", "birds");
            File.ReadAllText($"/proc/{node.ProcessId}/cmdline").ShouldNotContain(Canary);
            node.Terminate();
            await node.WaitForExitAsync(cancellationToken: Cancel);
            said.AppendLine(node.StandardOutput).AppendLine(node.StandardError);
        }
        var lockServer = $"{(await redis.GetServerAsync(Cancel)).ConnectionString},user=nobody,password={Canary}";
        await RunAsync("locks", "list", "--redis", lockServer);
        foreach (var broken in new[] { "Port=1", "Host=no.such.host.invalid", "Database=nothing", "Username=nobody", "SSL Mode=VerifyFull", "Nonsense=1" })
        {
            await RunAsync("status", "--primary", $"{replica.Primary};{broken}");
            await RunAsync("doctor", "--primary", $"{replica.Primary};{broken}");
            await RunAsync("init", "--primary", $"{replica.Primary};{broken}", "--data", replica.Beside("fresh"));
        }
        said.ToString().ShouldNotContain(Canary);
        said.ToString().ShouldNotContain(RowValue, customMessage: "no row value is told either");
        Containing(Path.Combine(replica.Data, ".."), Canary).ShouldBeEmpty();
        Containing(replica.Data, RowValue).ShouldBe([Path.GetFileName(replica.ShardFile)], "the search finds what is there");
    }

    /// <summary>The files that hold a text.</summary>
    private static List<string> Containing(string directory, string text) =>
        [.. Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Where(f => File.ReadAllBytes(f).AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0)
            .Select(f => Path.GetFileName(f)!).Where(f => !f.EndsWith("-wal", StringComparison.Ordinal))];
}
