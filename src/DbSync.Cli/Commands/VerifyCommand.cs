using System.CommandLine;
using DbSync.Cli.Status;
using DbSync.Cli.Verifying;
using DbSync.Hosting;
using DbSync.Postgres;
using DbSync.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync verify</c>: compares the replica's contents with the primary's at one position, while writers go on.</summary>
internal static class VerifyCommand
{
    private static readonly Option<string[]> Tables = new("--table") { Description = "Compare only this table; may be given several times.", HelpName = "TABLE" };

    private static readonly Option<bool> Repair = new("--repair") { Description = "Not in this version: differences are reported, and nothing is changed." };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("verify", "Compare the contents of replica and primary at one position. Exits 5 when they differ.") { Tables, Repair };
        runner.Bind(command, RunAsync);
        return (command, "dbsync verify --table orders --json");
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
        await using var host = DataDirectory.TryLock(settings.Data) is { } free ? NodeHost.Open(settings.Place, free, new HostOptions(), NullLoggerFactory.Instance) : null;
        await using var node = host?.CreateNode();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.Cancellation);
        var running = node?.RunAsync(stop.Token);
        try
        {
            if (host is not null) console.Say("No node runs on this data directory: it is brought up to date first.");
            var opening = new ComparisonOpener(primary, identity, settings.Data, TimeProvider.System).OpenAsync(stop.Token);
            if (running is not null && await Task.WhenAny(running, opening) == running) await running;
            await using var comparison = await opening;
            var verdicts = await CompareAsync(console, comparison, tables, stop.Token);
            return Report(context, comparison.Position, verdicts);
        }
        finally
        {
            await stop.CancelAsync();
            if (running is not null) await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<List<TableVerdict>> CompareAsync(ToolConsole console, Comparison comparison, IReadOnlyList<TableSchema> tables, CancellationToken cancellationToken)
    {
        var verdicts = new List<TableVerdict>();
        if (!console.IsTerminal)
        {
            foreach (var table in tables) verdicts.Add(await comparison.CompareAsync(table, cancellationToken));
            return verdicts;
        }
        await console.Progress.Progress().AutoClear(true).StartAsync(async progress =>
        {
            var bar = progress.AddTask("comparing", maxValue: Math.Max(1, tables.Count));
            foreach (var table in tables)
            {
                bar.Description = Markup.Escape($"comparing {table}");
                verdicts.Add(await comparison.CompareAsync(table, cancellationToken));
                bar.Increment(1);
            }
        });
        return verdicts;
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

    private static int Report(CommandContext context, Lsn position, List<TableVerdict> verdicts)
    {
        var console = context.Console;
        var differences = verdicts.Sum(v => v.Differences);
        console.WriteJson(new { Lsn = position.ToString(), Equal = differences == 0, Differences = differences, Tables = verdicts });
        if (!console.IsJson)
        {
            var table = new Table().Border(TableBorder.Simple).AddColumn("table");
            foreach (var column in new[] { "rows on the primary", "rows here", "differences" }) table.AddColumn(new TableColumn(column).RightAligned());
            foreach (var v in verdicts)
                table.AddRow(StatusPage.Cells(v.Name, Units.Count(v.RowsPrimary), Units.Count(v.RowsReplica), Units.Count(v.Differences)));
            console.People.Write(table);
            console.Line($"{Units.Count(differences)} differences at position {position}.");
        }
        if (differences == 0) return ExitCode.Ok;
        if (context.Arguments.GetValue(Repair)) console.Warn("--repair comes with a later version: nothing was changed.");
        console.Say("To mend the replica, run 'dbsync init' and 'dbsync run' with an empty data directory.");
        return ExitCode.Different;
    }
}
