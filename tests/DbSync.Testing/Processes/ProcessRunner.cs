namespace DbSync.Testing;

/// <summary>What a process that has ended leaves.</summary>
public sealed record ProcessResult(int ExitCode, string StandardOutput, string StandardError);

/// <summary>Runs an executable to its end.</summary>
public static class ProcessRunner
{
    public static async Task<ProcessResult> RunAsync(
        string fileName,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null,
        CancellationToken cancellationToken = default)
    {
        await using var process = TestProcess.Start(fileName, arguments, environment, workingDirectory);
        var exitCode = await process.WaitForExitAsync(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
        return new ProcessResult(exitCode, process.StandardOutput, process.StandardError);
    }

    /// <summary>As <see cref="RunAsync"/>, returning standard output.</summary>
    /// <exception cref="InvalidOperationException">The exit code isn't 0; the message carries what the process printed.</exception>
    public static async Task<string> RunCheckedAsync(
        string fileName,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null,
        CancellationToken cancellationToken = default)
    {
        var result = await RunAsync(fileName, arguments, environment, workingDirectory, cancellationToken).ConfigureAwait(false);
        return result.ExitCode == 0
            ? result.StandardOutput
            : throw new InvalidOperationException($"{fileName} ended with {result.ExitCode}:\n{result.StandardOutput}{result.StandardError}");
    }
}
