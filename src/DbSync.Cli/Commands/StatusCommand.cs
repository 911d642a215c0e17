using Spectre.Console;
using System.CommandLine;
using DbSync.Cli.Status;
using DbSync.Postgres;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync status</c>: where a node stands, whether it runs or not, whether the primary answers or not.</summary>
internal static class StatusCommand
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    private static readonly Option<bool> Watch = new("--watch") { Description = "Show it again every second until stopped." };

    private static readonly Option<double?> MaxLag = new("--max-lag") { Description = "Exit 6 when the lag is larger than this, or unknown.", HelpName = "MS" };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("status", "Position, lag, slot, shards and tables of the node in the data directory.") { Watch, MaxLag };
        command.Validators.Add(result =>
        {
            if (result.GetValue(Watch) && result.GetValue(GlobalOptions.Json)) result.AddError("--watch and --json exclude each other: --json is one object.");
        });
        runner.Bind(command, RunAsync);
        return (command, "dbsync status --json --max-lag 5000");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var identity = settings.LoadIdentity();
        await using var primary = settings.TryPrimary is { } connection ? new Primary(connection) : null;
        var reader = new StatusReader(identity, settings.Data, token => PrimaryView.TryReadAsync(primary, identity.Slot, token), TimeProvider.System);
        var status = await reader.ReadAsync(context.Cancellation);
        if (context.Arguments.GetValue(Watch)) await WatchAsync(console, reader, status, context.Cancellation);
        console.WriteJson(status);
        if (!console.IsJson) console.People.Write(StatusPage.Of(status));
        if (context.Arguments.GetValue(MaxLag) is not { } limit || status.LagMs <= limit) return ExitCode.Ok;
        console.Warn(status.LagMs is { } lag ? $"the lag is {Units.Duration(lag)}, the limit {Units.Duration(limit)}" : "the lag is unknown: no node has run here yet");
        return ExitCode.Lagging;
    }

    private static async Task WatchAsync(ToolConsole console, StatusReader reader, StatusReport first, CancellationToken cancellationToken) =>
        await console.People.Live(StatusPage.Of(first)).Cropping(VerticalOverflowCropping.Bottom).StartAsync(async live =>
        {
            while (true)
            {
                live.UpdateTarget(StatusPage.Of(await reader.ReadAsync(cancellationToken)));
                await Task.Delay(WatchInterval, TimeProvider.System, cancellationToken);
            }
        });
}
