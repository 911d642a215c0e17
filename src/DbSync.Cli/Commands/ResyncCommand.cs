using System.CommandLine;
using DbSync.Cli.Running;
using DbSync.Hosting;
using DbSync.Sqlite;
using Microsoft.Extensions.Logging;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync resync</c>: copies again beside what is served, then swaps; whether a node runs or not.</summary>
internal static class ResyncCommand
{
    private static readonly Option<string[]> Tables = new("--table")
    {
        Description = "Only this table, as schema.table; may be given several times. Everything, into new files, when not given.", HelpName = "TABLE",
    };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("resync", "Copy the replica, or some of its tables, again beside what is read meanwhile, and swap when the copy is complete.") { Tables };
        runner.Bind(command, RunAsync);
        return (command, "dbsync resync --table orders");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var identity = settings.LoadIdentity();
        IReadOnlyList<string>? tables = context.Arguments.GetValue(Tables) is { Length: > 0 } named ? Check(settings.Data, identity, named) : null;
        var free = DataDirectory.TryLock(settings.Data);
        var diverged = free is not null && LiveStatus.TryLoad(settings.Data)?.ErrorCode == ErrorCodes.Diverged;
        var request = new ResyncRequest(Guid.NewGuid().ToString("n"), tables, TimeProvider.System.GetUtcNow(), Over: diverged && tables is not null);
        var watch = new ResyncWatch(console, settings.Data, request, TimeProvider.System);
        request.Save(settings.Data);
        if (free is null) await watch.UntilDoneAsync(isHere: false, context.Cancellation);
        else await RunHereAsync(context, free, watch);

        var status = NodeFile.Load(settings.Data);
        console.WriteJson(new { status.Replica, status.Node, Tables = tables, Files = status.Shards.Select(s => s.File), watch.Rows, DurationMs = watch.Elapsed.TotalMilliseconds });
        if (!console.IsJson) console.Line($"Copied again: {(tables is null ? "everything" : string.Join(", ", tables))}, {Units.Count(watch.Rows)} rows.");
        return ExitCode.Ok;
    }

    /// <summary>The tables by the replica's names.</summary>
    private static List<string> Check(string directory, NodeFile identity, string[] named)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var shard in identity.Shards.Where(s => File.Exists(Path.Combine(directory, s.File))))
        {
            using var view = new ShardView(directory, shard);
            known.UnionWith(view.Tables().Select(t => t.Schema.ReplicaName));
        }
        return [.. named.Select(n => n.StartsWith("public.", StringComparison.Ordinal) ? n["public.".Length..] : n).Distinct(StringComparer.Ordinal)
            .Select(n => known.Contains(n) ? n : throw new DbSyncException(ErrorCodes.UnknownTable, $"The replica has no table '{n}'.", "'dbsync status' lists its tables."))];
    }

    /// <summary>No node runs: one runs here until the copy is done.</summary>
    private static async Task RunHereAsync(CommandContext context, DataDirectory directory, ResyncWatch watch)
    {
        context.Console.Say("No node runs on this data directory: one runs here until the copy is done.");
        using var loggers = LoggerFactory.Create(b => b.AddProvider(new ToolLogger(context.Console, TimeProvider.System)));
        await using var host = NodeHost.Open(context.Settings.Place, directory, new HostOptions(), loggers);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.Cancellation);
        var running = host.Keeper.RunAsync(stop.Token);
        var watching = watch.UntilDoneAsync(isHere: true, stop.Token);
        try
        {
            if (await Task.WhenAny(running, watching) == running) await running;
            await watching;
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(running, watching).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
