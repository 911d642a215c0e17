using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Fixtures;

public sealed class DbSyncToolTests
{
    [Fact]
    public async Task Tool_runs_and_its_exit_code_arrives()
    {
        var result = await DbSyncTool.RunAsync(["no-such-command"], cancellationToken: TestContext.Current.CancellationToken);

        result.ExitCode.ShouldBe(2, result.StandardError);
    }
}
