using System.CommandLine;
using DbSync.Cli.Running;
using DbSync.Hosting;
using DbSync.Postgres;
using Microsoft.Extensions.Logging;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync run</c>: the initial copy, then the stream, until stopped.</summary>
internal static class RunCommand
{
    private static readonly Option<string?> MaxRetained = new("--max-retained-wal")
    {
        Description = "Give the slot up, and copy again, before it makes the primary keep more log than this; the primary's own limit when not given.", HelpName = "10GB",
        Validators = { result => Units.CheckBytes(result) },
    };

    private static readonly Option<string?> CopyLimit = new("--copy-limit")
    {
        Description = "Read the primary's tables no faster than this each second; no limit when not given.", HelpName = "20MB",
        Validators = { result => Units.CheckBytes(result) },
    };

    private static readonly Option<string?> VerifyEvery = new("--verify-every")
    {
        Description = "Compare every row with the primary's so often, with a quarter of one server process's time there, and mend what differs; never when not given.", HelpName = "6h",
        Validators = { result => { if (result.Tokens.Count == 1 && Units.ParseDuration(result.Tokens[0].Value) is null) result.AddError("--verify-every is a time: write it like 30min or 6h."); } },
    };

    private static readonly Option<string> OnSlotLoss = new Option<string>("--on-slot-loss")
    {
        Description = "When the slot is lost, or a change misses its row: 'reseed' copies again beside the old files, or mends the table; 'stop' ends with the error.", DefaultValueFactory = _ => "reseed",
    }.AcceptOnlyFromAmong("reseed", "stop");

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("run", "Copy what is missing, then follow the primary until stopped. Ctrl-C and SIGTERM drain first and exit 0; a second one ends at once.") { MaxRetained, OnSlotLoss, CopyLimit, VerifyEvery, RunOptions.SpillBytesMax };
        runner.Bind(command, RunAsync);
        return (command, "dbsync run --primary 'Host=localhost;Database=shop;Username=app' --data ./replica");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var place = settings.Place;
        settings.LoadIdentity();
        using var loggers = LoggerFactory.Create(b => b.AddProvider(new ToolLogger(console, TimeProvider.System)));
        await using var host = NodeHost.Open(place, DataDirectory.Lock(settings.Data), OptionsOf(context), loggers);
        using var ended = new CancellationTokenSource();
        var warning = WarnAsync(host.Primary, console, context.Cancellation);
        var progress = new NodeProgress(console, host.Keeper, settings.Data).ShowAsync(context.Cancellation, ended.Token);
        try
        {
            await host.Keeper.RunAsync(context.Cancellation);
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
        var last = host.Keeper.Status() ?? LiveStatus.None;
        console.WriteJson(new
        {
            host.Keeper.Identity.Replica, host.Keeper.Identity.Node, State = "stopped", last.AppliedLsn, last.DurableLsn, last.AcknowledgedLsn,
            Counters = new { last.Transactions, last.Rows, last.Reconnects, last.RowsCopied, last.ChunksRead },
        });
        return ExitCode.Ok;
    }

    private static HostOptions OptionsOf(CommandContext context) => new()
    {
        Node = new NodeOptions
        {
            RetainedBytesMax = context.Arguments.GetValue(MaxRetained) is { } size ? Units.ParseBytes(size) : null,
            Copy = new CopyOptions { BytesPerSecondMax = context.Arguments.GetValue(CopyLimit) is { } rate ? Units.ParseBytes(rate) : null },
        },
        Reseed = new ReseedOptions
        {
            Reseeds = context.Arguments.GetValue(OnSlotLoss) != "stop",
            VerifyInterval = context.Arguments.GetValue(VerifyEvery) is { } every ? Units.ParseDuration(every) : null,
        },
    };

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
