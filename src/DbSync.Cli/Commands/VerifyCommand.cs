using System.CommandLine;
using System.Globalization;
using DbSync.Cli.Running;
using DbSync.Cli.Verifying;
using DbSync.Hosting;
using DbSync.Postgres;
using DbSync.Sqlite;
using Microsoft.Extensions.Logging;
using Spectre.Console;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync verify</c>: compares the replica's contents with the primary's at one position, while writers go on.</summary>
internal static class VerifyCommand
{
    private const int RoundsMax = 3;
    private const int ValuesMax = 20;

    private static readonly Option<string[]> Tables = new("--table") { Description = "Compare only this table; may be given several times.", HelpName = "TABLE" };

    private static readonly Option<bool> Repair = new("--repair")
    {
        Description = "Read the rows that differ again, by their keys, while the node goes on; a table without a key, or with more than 100,000 such rows, is copied again.",
    };

    private static readonly Option<bool> Values = new("--values") { Description = "Show what both sides hold in the first 20 rows that differ. Names only keys when not given." };

    private static readonly Option<double?> Load = new("--max-load")
    {
        Description = "Take no more than this share of one server process's time on the primary; 100 when not given.", HelpName = "PERCENT",
        Validators = { result => { if (result.Tokens.Count == 1 && !(double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var load) && load is > 0 and <= 100)) result.AddError("--max-load is a share in percent: above 0, and up to 100."); } },
    };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("verify", "Compare the contents of replica and primary at one position, and mend them. Exits 5 when they differ.") { Tables, Repair, Values, Load };
        runner.Bind(command, RunAsync);
        return (command, "dbsync verify --table orders --repair");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var identity = settings.LoadIdentity();
        if (identity.StaleSince is { } since)
            throw new DbSyncException(
                ErrorCodes.NotLive, $"The replica is stale since {since:u}: it is copied again, and its files stand still.", "Wait for the new copy ('dbsync status'); while no node runs, start 'dbsync run'.");
        await using var primary = new Primary(settings.Primary);
        var tables = await ChooseAsync(context, identity, primary);

        // A node that runs elsewhere answers; otherwise one runs here for the time being.
        using var loggers = LoggerFactory.Create(b => b.AddProvider(new ToolLogger(console, TimeProvider.System)));
        await using var host = DataDirectory.TryLock(settings.Data) is { } free ? NodeHost.Open(settings.Place, free, new HostOptions(), loggers) : null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.Cancellation);
        var running = host is null ? null : context.Arguments.GetValue(Repair) ? host.Keeper.RunAsync(stop.Token) : RunNodeAsync(host, stop.Token);
        try
        {
            if (host is not null) console.Say("No node runs on this data directory: it is brought up to date first.");
            var verifying = VerifyAsync(context, primary, tables, isHere: host is not null, stop.Token);
            if (running is not null && await Task.WhenAny(running, verifying) == running) await running;
            return await verifying;
        }
        finally
        {
            await stop.CancelAsync();
            if (running is not null) await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Without a keeper: who only looks begins no new copy.</summary>
    private static async Task RunNodeAsync(NodeHost host, CancellationToken cancellationToken)
    {
        await using var node = host.CreateNode();
        await node.RunAsync(cancellationToken);
    }

    private static async Task<int> VerifyAsync(CommandContext context, Primary primary, IReadOnlyList<TableSchema> tables, bool isHere, CancellationToken cancellationToken)
    {
        var (console, directory) = (context.Console, context.Settings.Data);
        var started = TimeProvider.System.GetTimestamp();
        var withValues = context.Arguments.GetValue(Values);
        var options = new ComparisonOptions { Share = (context.Arguments.GetValue(Load) ?? 100) / 100, ValuesMax = withValues ? ValuesMax : 0 };
        var verifier = new Verifier(primary, directory, TimeProvider.System);
        var repairer = new Repairer(console, directory, TimeProvider.System);
        var (position, found) = await CompareAsync(console, verifier, tables, options, cancellationToken);
        var (first, left) = (found, found.Where(t => t.Verdict.Differences > 0).ToList());
        for (var round = 0; context.Arguments.GetValue(Repair) && left.Count > 0 && round < RoundsMax; round++)
        {
            await repairer.MendAsync(left, isHere, cancellationToken);
            (position, found) = await CompareAsync(console, verifier, [.. left.Select(t => t.Table)], options, cancellationToken);
            left = [.. found.Where(t => t.Verdict.Differences > 0)];
        }
        var (differences, remaining) = (first.Sum(t => t.Verdict.Differences), left.Sum(t => t.Verdict.Differences));
        var report = new VerifyReport(
            position.ToString(), remaining == 0, differences, Math.Max(0, differences - remaining), [.. first.Select(t => VerifyReport.Of(t, withValues))], repairer.CopiedAgain,
            TimeProvider.System.GetElapsedTime(started).TotalMilliseconds);
        console.WriteJson(report);
        if (!console.IsJson) report.Show(console);
        if (remaining == 0) return ExitCode.Ok;
        console.Say(context.Arguments.GetValue(Repair) ? "Somebody else may be writing to the shard files: nothing but DbSync may." : "'dbsync verify --repair' mends them.");
        return ExitCode.Different;
    }

    private static async Task<(Lsn Position, IReadOnlyList<TableComparison> Tables)> CompareAsync(
        ToolConsole console, Verifier verifier, IReadOnlyList<TableSchema> tables, ComparisonOptions options, CancellationToken cancellationToken)
    {
        if (!console.IsTerminal) return await verifier.CompareAsync(tables, options, _ => { }, cancellationToken);
        return await console.Progress.Progress().AutoClear(true).StartAsync(async progress =>
        {
            var bar = progress.AddTask("comparing", maxValue: Math.Max(1, tables.Count));
            var begun = 0;
            return await verifier.CompareAsync(
                tables, options,
                table =>
                {
                    bar.Description = Markup.Escape($"comparing {table}");
                    bar.Value = begun++;
                },
                cancellationToken);
        });
    }

    /// <summary>The tables to compare.</summary>
    /// <exception cref="DbSyncException">DBS2005 no such table, DBS5005 one that can't be compared yet.</exception>
    private static async Task<IReadOnlyList<TableSchema>> ChooseAsync(CommandContext context, NodeFile identity, Primary primary)
    {
        var records = new Dictionary<string, TableRecord>(StringComparer.Ordinal);
        foreach (var shard in identity.Shards.Where(s => File.Exists(Path.Combine(context.Settings.Data, s.File))))
        {
            using var view = new ShardView(context.Settings.Data, shard);
            foreach (var record in view.Tables())
            {
                var name = record.Schema.ReplicaName;
                if (!records.TryGetValue(name, out var known) || record.State < known.State) records[name] = record;
            }
        }
        var published = await primary.UseAsync(c => PublicationState.ReadAsync(c, identity.Publication, context.Cancellation), context.Cancellation);
        var named = context.Arguments.GetValue(Tables) is { Length: > 0 } given ? given : null;
        var wanted = named ?? [.. records.Keys.Union(published?.Tables ?? new HashSet<string>(StringComparer.Ordinal), StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        foreach (var name in wanted)
        {
            if (records.TryGetValue(name, out var record) && record.State == TableState.Live) continue;
            if (record is null && published?.Tables.Contains(name) != true)
                throw new DbSyncException(ErrorCodes.UnknownTable, $"The replica has no table {name}.", "'dbsync status' lists its tables.");
            throw new DbSyncException(
                ErrorCodes.NotLive, $"{name} is not live yet: its initial copy is not complete.", "Start 'dbsync run', and verify when 'dbsync status' shows it as live.");
        }
        return [.. wanted.Select(n => records[n].Schema)];
    }
}
