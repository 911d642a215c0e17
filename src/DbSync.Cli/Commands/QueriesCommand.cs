using System.CommandLine;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync queries</c>: which of the queries that an application ran a replica can't answer.</summary>
internal static class QueriesCommand
{
    private static readonly Argument<string> Recorded = new("FILE")
    {
        Description = $"What the EF Core plug-in recorded: run the application's tests, or the application, with {QueryRecord.EnvironmentVariable}=FILE.",
    };

    private static readonly Option<bool> Fail = new("--fail") { Description = "Exit with 5 when a query can't be routed that could be: for continuous integration." };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("queries", "List the query shapes of an application that a replica can't answer, with the reason.") { Recorded, Fail };
        runner.Bind(command, context => Task.FromResult(Run(context)));
        return (command, $"{QueryRecord.EnvironmentVariable}=queries.jsonl dotnet test; dbsync queries queries.jsonl");
    }

    private static int Run(CommandContext context)
    {
        var all = QueryRecord.Load(context.Arguments.GetRequiredValue(Recorded));
        var refused = all.Where(r => !r.Routed).OrderBy(r => r.Reason, StringComparer.Ordinal).ThenBy(r => r.Shape, StringComparer.Ordinal).ToList();
        context.Console.WriteJson(new { Shapes = all.Count, Routed = all.Count - refused.Count, NotRouted = refused.Select(r => new { r.Shape, r.Reason, r.Detail }) });
        if (!context.Console.IsJson) Print(context.Console, all.Count, refused);
        return context.Arguments.GetValue(Fail) && refused.Exists(r => !BelongsToPrimary(r.Reason)) ? ExitCode.Different : ExitCode.Ok;
    }

    private static void Print(ToolConsole console, int all, List<QueryRecord> refused)
    {
        foreach (var reason in refused.GroupBy(r => r.Reason, StringComparer.Ordinal))
        {
            console.Line($"{reason.Key}{(BelongsToPrimary(reason.Key) ? " (as it should be)" : "")}");
            foreach (var query in reason)
            {
                console.Line($"  {query.Detail}");
                console.Line($"      {query.Shape}");
            }
        }
        console.Line($"{all - refused.Count} of {all} query shapes are routed.");
    }

    // Tracked reads, writes and what runs in transactions go to the primary by design.
    private static bool BelongsToPrimary(string reason) => reason is "Tracking" or "Statement" or "Transaction" or "ConnectionOpen" or "UsePrimary";
}
