using System.Text.Json;
using DbSync.Testing;

namespace DbSync.Cli.Tests;

/// <summary>One command line, run inside the test process against nothing but an empty directory.</summary>
internal sealed record ToolRun(int ExitCode, string Output, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    public static async Task<ToolRun> OfAsync(params string[] arguments)
    {
        foreach (var name in new[] { "DBSYNC_PRIMARY", "DBSYNC_DATA", "DBSYNC_REDIS", "DBSYNC_REPLICA", "DBSYNC_NODE" })
            Environment.SetEnvironmentVariable(name, null); // the developer's shell may have them
        using var directory = new TemporaryDirectory();
        var (output, error) = (new StringWriter(), new StringWriter());
        var exitCode = await Tool.RunAsync([.. arguments, "--data", directory.Path], output, error);
        return new ToolRun(exitCode, output.ToString(), error.ToString());
    }
}
