using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Fixtures;

public sealed class EventuallyTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(100);

    [Fact]
    public async Task Returns_the_first_accepted_value()
    {
        var reads = 0;

        var value = await Eventually.Async(_ => Task.FromResult(++reads), read => read == 3, cancellationToken: TestContext.Current.CancellationToken);

        (value, reads).ShouldBe((3, 3));
    }

    [Fact]
    public async Task Fails_with_the_last_state()
    {
        var failure = await Should.ThrowAsync<TimeoutException>(
            Eventually.Async(_ => Task.FromResult(7), read => read == 8, Short, read => $"read {read}", TestContext.Current.CancellationToken));

        failure.Message.ShouldBe("Not within 0.1 s. Last state: read 7");
    }

    [Fact]
    public async Task Ends_a_read_that_hangs()
    {
        var failure = await Should.ThrowAsync<TimeoutException>(
            Eventually.Async(
                async token =>
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
                    return true;
                },
                Short,
                cancellationToken: TestContext.Current.CancellationToken));

        failure.Message.ShouldContain("still reading");
    }

    [Fact]
    public async Task Lets_failures_of_the_read_through() =>
        await Should.ThrowAsync<InvalidDataException>(
            Eventually.Async(_ => Task.FromException<bool>(new InvalidDataException()), Short, cancellationToken: TestContext.Current.CancellationToken));
}
