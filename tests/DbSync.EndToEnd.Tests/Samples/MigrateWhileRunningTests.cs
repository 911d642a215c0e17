using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Samples;

/// <summary>The sample as users run it: three migrations under load, no read that sees a mixture, every row equal at the end.</summary>
[Trait("Needs", "Server")]
public sealed class MigrateWhileRunningTests
{
    [Fact]
    public async Task Reads_go_on_through_three_migrations_and_see_each_before_or_after()
    {
        var run = await ProcessRunner.RunAsync("dotnet", ["exec", Path.Combine(AppContext.BaseDirectory, "MigrateWhileRunning.dll")], cancellationToken: TestContext.Current.CancellationToken);
        run.ExitCode.ShouldBe(0, run.StandardOutput + run.StandardError);
        run.StandardOutput.ShouldContain(" 0 wrong.");
        run.StandardOutput.ShouldContain("addresses 3000, people 3000");
    }
}
