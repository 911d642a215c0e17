using System.CommandLine;
using DbSync.Cli.Running;
using DbSync.Postgres;
using Spectre.Console;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync uninstall</c>: takes DbSync off the primary.</summary>
internal static class UninstallCommand
{
    private static readonly Option<bool> Yes = new("--yes") { Description = "Don't ask." };

    private static readonly Option<bool> All = new("--all") { Description = "Every replica of the database, not only --replica." };

    private static readonly Option<bool> PurgeData = new("--purge-data") { Description = "Delete the node's files in the data directory too." };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Print the SQL and change nothing." };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("uninstall", "Drop the replica's slots and publication, and with the last replica the schema dbsync. Nothing is left behind.")
        {
            Yes, All, PurgeData, DryRun,
        };
        runner.Bind(command, RunAsync);
        return (command, "dbsync uninstall --replica main --yes");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console, arguments) = (context.Settings, context.Console, context.Arguments);
        await using var primary = new Primary(settings.Primary);
        var uninstall = new Uninstall(primary);
        var plan = await uninstall.PlanAsync(arguments.GetValue(All) ? null : settings.Replica, context.Cancellation);
        var dryRun = arguments.GetValue(DryRun);
        var purge = arguments.GetValue(PurgeData);
        if (!dryRun)
        {
            if ((plan.Statements.Count > 0 || purge) && !arguments.GetValue(Yes) && !Confirm(console, plan, purge)) return ExitCode.Cancelled;
            using var directory = purge && Directory.Exists(settings.Data) ? DataDirectory.Lock(settings.Data) : null;
            await uninstall.RunAsync(plan, context.Cancellation);
            if (directory is not null) DataFiles.Delete(settings.Data);
        }
        console.WriteJson(new { DryRun = dryRun, plan.Slots, plan.Publications, Schema = plan.DropsSchema, PurgedData = purge && !dryRun, plan.Statements });
        if (console.IsJson) return ExitCode.Ok;
        if (plan.Statements.Count == 0) console.Line("Nothing of DbSync is on the primary.");
        else if (dryRun) console.Line(string.Join(Environment.NewLine, plan.Steps.Select(s => s.MissingRole is { } role ? $"{s.Statement} -- as {role}" : s.Statement)));
        else console.Line($"Dropped {plan.Slots.Count} slot(s), {plan.Publications.Count} publication(s){(plan.DropsSchema ? " and the schema dbsync" : "")}.");
        if (!dryRun && !purge) console.Say($"The data directory was left as it is: {settings.Data}");
        return ExitCode.Ok;
    }

    private static bool Confirm(ToolConsole console, UninstallPlan plan, bool purge)
    {
        if (!console.IsTerminal)
            throw new DbSyncException(ErrorCodes.InvalidOption, "Uninstalling asks first, and there is nobody to ask here.", "Add --yes; --dry-run shows what it would do.");
        foreach (var statement in plan.Statements) console.Say($"  {statement}");
        if (purge) console.Say("  and the node's files in the data directory");
        return AnsiConsoleExtensions.Confirm(console.Progress, "Run this?", defaultValue: false);
    }
}
