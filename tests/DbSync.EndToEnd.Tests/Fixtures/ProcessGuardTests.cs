using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Fixtures;

[Trait("Needs", "Server")]
public sealed class ProcessGuardTests(PostgresFixture postgres, RedisFixture redis)
{
    private const string ReportVariable = "DBSYNC_TEST_GUARD_REPORT";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_killed_test_run_leaves_no_server_and_no_file()
    {
        using var directory = new TemporaryDirectory();
        var report = directory["report"];
        await using var run = TestProcess.Start(
            "dotnet", // this process may be it or the program's own
            ["exec", typeof(ProcessGuardTests).Assembly.Location, "--explicit", "only", "--filter-method", "*" + nameof(Holds_servers_until_killed)],
            new Dictionary<string, string?> { [ReportVariable] = report });
        await Eventually.Async(
            () => run.HasExited || File.Exists(report),
            TimeSpan.FromSeconds(60),
            () => string.Join('\n', run.Lines),
            Cancellation);
        run.HasExited.ShouldBeFalse(string.Join('\n', run.Lines));
        var held = await File.ReadAllLinesAsync(report, Cancellation);
        var root = held[0];
        var processes = held.Skip(1).Select(int.Parse).ToList();
        processes.Count.ShouldBe(3);
        processes.ShouldAllBe(id => TestProcess.IsAlive(id));
        Directory.Exists(root).ShouldBeTrue();

        run.Kill();

        await Eventually.Async(
            () => !Directory.Exists(root) && !processes.Exists(TestProcess.IsAlive),
            describe: () => $"{root} is there: {Directory.Exists(root)}; processes alive: {processes.Count(TestProcess.IsAlive)}",
            cancellationToken: Cancellation);
    }

    /// <summary>The victim of the test above, in a process of its own.</summary>
    [Fact(Explicit = true)]
    [Trait("Role", "Victim")]
    public async Task Holds_servers_until_killed()
    {
        var report = Environment.GetEnvironmentVariable(ReportVariable);
        Assert.SkipWhen(report is null, "started by another test only");
        var postgresId = (await postgres.GetServerAsync(Cancellation)).ProcessId;
        var redisId = (await redis.GetServerAsync(Cancellation)).ProcessId;
        using var directory = new TemporaryDirectory();
        await using var sleeper = TestProcess.Start("sleep", ["1000"]);

        await File.WriteAllLinesAsync(
            report + ".new",
            [Path.GetDirectoryName(directory.Path)!, $"{postgresId}", $"{redisId}", $"{sleeper.ProcessId}"],
            Cancellation);
        File.Move(report + ".new", report!);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, Cancellation);
    }
}
