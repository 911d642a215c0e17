using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Samples;

/// <summary>The sample as users run it.</summary>
[Trait("Needs", "Server")]
public sealed class SeatBookingTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Seats_are_never_booked_twice_though_offices_are_killed()
    {
        var run = await Run("--seconds", "4");
        run.ExitCode.ShouldBe(0, run.StandardOutput + run.StandardError);
        run.StandardOutput.ShouldContain(" 0 double bookings");
    }

    [Fact]
    public async Task Without_locks_the_same_program_books_seats_twice()
    {
        var run = await Run("--seconds", "3", "--without-locks");
        run.ExitCode.ShouldBe(1, run.StandardOutput + run.StandardError);
    }

    private static Task<ProcessResult> Run(params string[] arguments) =>
        ProcessRunner.RunAsync("dotnet", ["exec", Path.Combine(AppContext.BaseDirectory, "SeatBooking.dll"), .. arguments], cancellationToken: Ct);
}
