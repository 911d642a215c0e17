using System.Globalization;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Fixtures;

public sealed class TestProcessTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Result_holds_both_streams_and_the_code()
    {
        var result = await ProcessRunner.RunAsync(
            "sh",
            ["-c", "echo $WORD; echo error >&2; exit 3"],
            new Dictionary<string, string?> { ["WORD"] = "output" },
            cancellationToken: Cancellation);

        result.ShouldBe(new ProcessResult(3, "output\n", "error\n"));
    }

    [Fact]
    public async Task A_line_is_found_whether_printed_already_or_later()
    {
        await using var process = TestProcess.Start("sh", ["-c", "echo one; echo two; exec sleep 1000"]);

        (await process.WaitForLineAsync(line => line == "two", cancellationToken: Cancellation)).ShouldBe("two");
        (await process.WaitForLineAsync(line => line == "one", cancellationToken: Cancellation)).ShouldBe("one");
        await Should.ThrowAsync<TimeoutException>(
            process.WaitForLineAsync(line => line == "one", TimeSpan.FromMilliseconds(100), fromLine: 1, Cancellation));
    }

    [Fact]
    public async Task Waiting_for_a_line_ends_with_the_process()
    {
        await using var process = TestProcess.Start("sh", ["-c", "echo last words; exit 7"]);

        var failure = await Should.ThrowAsync<InvalidOperationException>(process.WaitForLineAsync(line => line == "never", cancellationToken: Cancellation));

        failure.Message.ShouldContain("It ended with 7");
        failure.Message.ShouldContain("last words");
    }

    [Fact]
    public async Task A_paused_process_stands_still_until_resumed()
    {
        await using var process = TestProcess.Start("sh", ["-c", "trap 'echo stopping; exit 5' TERM; echo ready; while :; do sleep 0.01; done"]);
        await process.WaitForLineAsync(line => line == "ready", cancellationToken: Cancellation);

        process.Pause();
        await Eventually.Async(() => StateOf(process.ProcessId) == 'T', cancellationToken: Cancellation);
        process.Terminate();
        process.Lines.ShouldNotContain("stopping");
        process.Resume();

        (await process.WaitForExitAsync(cancellationToken: Cancellation)).ShouldBe(5);
        process.Lines.ShouldContain("stopping");
    }

    [Fact]
    public async Task A_kill_leaves_no_time_for_anything()
    {
        await using var process = TestProcess.Start("sh", ["-c", "trap 'echo stopping' TERM EXIT; echo ready; while :; do sleep 0.01; done"]);
        await process.WaitForLineAsync(line => line == "ready", cancellationToken: Cancellation);

        process.Kill();

        (await process.WaitForExitAsync(cancellationToken: Cancellation)).ShouldBe(128 + 9);
        process.StandardOutput.ShouldBe("ready\n");
    }

    [Fact]
    public async Task Disposing_ends_the_process_and_its_children()
    {
        var process = TestProcess.Start("sh", ["-c", "sleep 1000 & echo $!; wait"]);
        var child = int.Parse(await process.WaitForLineAsync(_ => true, cancellationToken: Cancellation), CultureInfo.InvariantCulture);

        await process.DisposeAsync();

        await Eventually.Async(() => !TestProcess.IsAlive(child), cancellationToken: Cancellation);
    }

    private static char StateOf(int processId)
    {
        var stat = File.ReadAllText($"/proc/{processId}/stat");
        return stat[stat.LastIndexOf(')') + 2];
    }
}
