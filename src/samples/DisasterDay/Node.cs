using System.Text.Json;
using DbSync.Testing;
using Spectre.Console;

namespace DisasterDay;

/// <summary>The <c>dbsync</c> tool as a person runs it; what is typed is shown.</summary>
internal sealed class Node(string primary, string data, string backups) : IAsyncDisposable
{
    private readonly Dictionary<string, string?> _environment = new(StringComparer.Ordinal) { ["DBSYNC_PRIMARY"] = primary, ["DBSYNC_DATA"] = data };
    private TestProcess? _running;

    /// <summary>Types a command; throws when it fails.</summary>
    public async Task<JsonElement> TypeAsync(params string[] arguments)
    {
        AnsiConsole.MarkupLine($"         [bold]$ dbsync {Markup.Escape(string.Join(' ', arguments).Replace(backups, "/backups", StringComparison.Ordinal))}[/]");
        var result = await DbSyncTool.RunAsync([.. arguments, "--json"], _environment);
        return result.ExitCode == 0
            ? JsonDocument.Parse(result.StandardOutput).RootElement.Clone()
            : throw new InvalidOperationException($"dbsync {arguments[0]} ended with {result.ExitCode}: {result.StandardOutput} {result.StandardError}");
    }

    public async Task RunAsync()
    {
        AnsiConsole.MarkupLine("         [bold]$ dbsync run[/]");
        _running = DbSyncTool.Start(["run"], _environment);
        await _running.WaitForLineAsync(l => l == "streaming", TimeSpan.FromSeconds(60));
    }

    public async Task KillAsync()
    {
        _running!.Kill();
        await _running.WaitForExitAsync();
        await _running.DisposeAsync();
        _running = null;
    }

    /// <summary>Waits until the node says something.</summary>
    public async Task SaysAsync(string what) => await _running!.WaitForLineAsync(l => l.Contains(what, StringComparison.Ordinal), TimeSpan.FromSeconds(60));

    /// <summary>Compares every row; again while the replica is being copied or mended.</summary>
    public async Task<JsonElement> ProveAsync()
    {
        var answer = default(JsonElement);
        await Eventually.Async(
            async _ =>
            {
                var result = await DbSyncTool.RunAsync(["verify", "--json"], _environment, cancellationToken: CancellationToken.None);
                if (result.ExitCode is 0 or 5) answer = JsonDocument.Parse(result.StandardOutput).RootElement.Clone();
                return result.ExitCode;
            },
            code => code is 0 or 5, TimeSpan.FromSeconds(60), describe: code => $"{code} {_running?.StandardError}");
        return answer;
    }

    public async ValueTask DisposeAsync()
    {
        if (_running is not null) await _running.DisposeAsync();
    }
}
