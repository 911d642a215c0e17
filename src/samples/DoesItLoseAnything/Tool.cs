using System.Text.Json;
using DbSync.Testing;

namespace DoesItLoseAnything;

/// <summary>The <c>dbsync</c> tool as a user runs it: a process of its own, told where the primary and the data are.</summary>
internal sealed class Tool(string connectionString, string dataPath) : IAsyncDisposable
{
    private readonly Dictionary<string, string?> _environment = new(StringComparer.Ordinal)
    {
        ["DBSYNC_PRIMARY"] = connectionString,
        ["DBSYNC_DATA"] = dataPath,
    };

    private TestProcess? _running;

    public async Task<(int ExitCode, JsonElement Answer)> AskAsync(params string[] arguments)
    {
        var result = await DbSyncTool.RunAsync([.. arguments, "--json"], _environment);
        try
        {
            return (result.ExitCode, JsonDocument.Parse(result.StandardOutput).RootElement.Clone());
        }
        catch (JsonException exception)
        {
            throw new InvalidOperationException($"dbsync {arguments[0]} answered {result.ExitCode}: {result.StandardError}", exception);
        }
    }

    public void Run() => _running = DbSyncTool.Start(["run"], _environment);

    /// <summary>kill -9, in the middle of whatever it does.</summary>
    public async Task KillAsync()
    {
        _running!.Kill();
        await _running.WaitForExitAsync();
        await _running.DisposeAsync();
        _running = null;
    }

    /// <summary>SIGTERM; returns the exit code.</summary>
    public async Task<int> StopAsync()
    {
        _running!.Terminate();
        var code = await _running.WaitForExitAsync();
        await _running.DisposeAsync();
        _running = null;
        return code;
    }

    /// <summary>What the running process says of itself, without asking it; null before it has said anything.</summary>
    public JsonElement? Status()
    {
        if (_running is { HasExited: true }) throw new InvalidOperationException($"dbsync run ended by itself: {_running.StandardError}");
        try
        {
            var status = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(dataPath, "status.json"))).RootElement.Clone();
            return status.GetProperty("processId").GetInt32() == _running?.ProcessId ? status : null;
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_running is not null) await _running.DisposeAsync();
    }
}
