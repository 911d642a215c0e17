using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Samples;

/// <summary>The sample as users run it: it compares every row after each disaster, and ends with 1 if anything differs.</summary>
[Trait("Needs", "Server")]
[Trait("Role", "Soak")]
public sealed class DisasterDayTests
{
    [Fact]
    public async Task Nothing_is_lost_on_a_day_on_which_everything_is()
    {
        var run = await ProcessRunner.RunAsync("dotnet", ["exec", Path.Combine(AppContext.BaseDirectory, "DisasterDay.dll")], cancellationToken: TestContext.Current.CancellationToken);
        run.ExitCode.ShouldBe(0, run.StandardOutput + run.StandardError);
    }
}
