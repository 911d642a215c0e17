using System.CommandLine;
using System.Text.RegularExpressions;
using DbSync.Postgres.Planning;
using Spectre.Console;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync plan-migration</c>: what the replicas will do about a migration, before it runs.</summary>
internal static partial class PlanMigrationCommand
{
    private const string Input = "-";

    private static readonly Argument<string> Script = new("FILE") { Description = "The migration's SQL, as for psql; - for standard input." };

    private static readonly Option<string?> Scratch = new("--scratch")
    {
        Description = "The server on which an empty copy of the schema is made and dropped again, as a connection string. The primary when not given; its role needs CREATEDB.", HelpName = "CONNECTION",
    };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("plan-migration", "Say what the replicas will do when a migration runs on the primary, per table. Exits 5 when a table can't be followed.") { Script, Scratch };
        runner.Bind(command, RunAsync);
        return (command, "dotnet ef migrations script --idempotent | dbsync plan-migration -");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var sql = Preamble().Replace(await ReadAsync(context.Arguments.GetRequiredValue(Script), context.Cancellation), "");
        console.Say("Running the migration on an empty copy of the primary's schema ...");
        var plan = await MigrationPlanner.PlanAsync(
            settings.Primary,
            sql,
            new MigrationPlanOptions { Replica = settings.Replica, Scratch = context.Arguments.GetValue(Scratch), RowsPerSecond = LiveStatus.TryLoad(settings.Data)?.CopyRowsPerSecond },
            context.Cancellation);
        console.WriteJson(new { Followed = plan.IsFollowed, plan.Seconds, plan.RowsPerSecond, Measured = plan.IsMeasured, Logged = plan.IsLogged, plan.Tables });
        if (!console.IsJson) Print(console, plan);
        return plan.IsFollowed ? ExitCode.Ok : ExitCode.Different;
    }

    /// <exception cref="DbSyncException">DBS1001 when the file can't be read.</exception>
    private static async Task<string> ReadAsync(string file, CancellationToken cancellationToken)
    {
        if (file == Input) return await Console.In.ReadToEndAsync(cancellationToken);
        try
        {
            return await File.ReadAllTextAsync(file, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DbSyncException(ErrorCodes.InvalidOption, $"The migration can't be read: {exception.Message}", "Give a file of SQL, or - for standard input.", exception);
        }
    }

    /// <summary>What <c>dotnet ef</c> prints before a script, on the same output.</summary>
    [GeneratedRegex(@"\A(\uFEFF|Build started\.\.\.|Build succeeded\.|\s)+", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Preamble();

    private static void Print(ToolConsole console, MigrationPlan plan)
    {
        var page = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(2)).AddColumn(new GridColumn().NoWrap().PadRight(2))
            .AddColumn(new GridColumn().NoWrap().RightAligned().PadRight(2)).AddColumn(new GridColumn().NoWrap().RightAligned().PadRight(2)).AddColumn(new GridColumn().PadRight(0));
        foreach (var table in plan.Tables)
        {
            var (work, color) = table.Work switch
            {
                PlannedWork.Instant => ("instant", Color.Green),
                PlannedWork.IndexBuild => ("index build", Color.Green),
                PlannedWork.Rewrite => ("rewrite here", Color.Yellow),
                PlannedWork.Copy => ("copied again", Color.Yellow),
                _ => ("NOT FOLLOWED", Color.Red),
            };
            page.AddRow(new Text(table.Table), new Text(work, new Style(color)), new Text($"{Units.Count(table.Rows)} rows"), new Text(Units.Duration(table.Seconds * 1000)), new Text(table.Reason));
        }
        console.People.Write(page);
        console.Line(plan.Tables.Count == 0
            ? "No replicated table changes."
            : $"About {Units.Duration(plan.Seconds * 1000)} in all, at {Units.Count((long)plan.RowsPerSecond)} rows/s ({(plan.IsMeasured ? "measured by the last copy here" : "assumed: no copy was measured in this data directory")}).");
        if (!plan.IsLogged) console.Line("The primary does not log schema changes (no event triggers): see 'dbsync doctor'.");
        if (plan.Tables.Any(t => t.Work == PlannedWork.Copy)) console.Line("While a table is copied again, the queries on it go to the primary.");
    }
}
