using System.CommandLine;
using DbSync.Cli.Running;
using DbSync.Postgres;
using Microsoft.Extensions.Logging;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync run</c>: the initial copy, then the stream, until stopped.</summary>
internal static class RunCommand
{
    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("run", "Copy what is missing, then follow the primary until stopped. Ctrl-C and SIGTERM drain first and exit 0; a second one ends at once.");
        command.Options.Add(RunOptions.SpillBytesMax);
        runner.Bind(command, RunAsync);
        return (command, "dbsync run --primary 'Host=localhost;Database=shop;Username=app' --data ./replica");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        _ = settings.Primary;
        NodeHost.LoadIdentity(settings);
        using var loggers = LoggerFactory.Create(b => b.AddProvider(new ToolLogger(console, TimeProvider.System)));
        await using var host = NodeHost.Open(settings, DataDirectory.Lock(settings.Data), loggers);
        using var ended = new CancellationTokenSource();
        var warning = WarnAsync(host.Primary, console, context.Cancellation);
        var progress = new NodeProgress(console, host.Node, host.Identity, settings.Data).ShowAsync(context.Cancellation, ended.Token);
        try
        {
            await host.Node.RunAsync(context.Cancellation);
        }
        catch (OperationCanceledException) when (context.Cancellation.IsCancellationRequested)
        {
            // Stopped before the stream began.
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAll(progress, warning).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        var last = host.Node.Status();
        console.WriteJson(new
        {
            host.Identity.Replica, host.Identity.Node, State = "stopped", last.AppliedLsn, last.DurableLsn, last.AcknowledgedLsn,
            Counters = new { last.Transactions, last.Rows, last.Reconnects, last.RowsCopied, last.ChunksRead },
        });
        return ExitCode.Ok;
    }

    /// <summary>Says what endangers the primary while the node runs; a primary that can't be reached is the engine's business.</summary>
    private static async Task WarnAsync(Primary primary, ToolConsole console, CancellationToken cancellationToken)
    {
        try
        {
            var retention = ServerChecks.SlotRetention(await ServerFacts.ReadAsync(primary, cancellationToken));
            if (retention.State == CheckState.Ok) return;
            console.Warn($"{retention.Detail} {retention.Why} ({retention.Code})");
            console.Say($"    {retention.Fix}");
        }
        catch (DbSyncException)
        {
            // The engine says so and keeps trying.
        }
    }
}
