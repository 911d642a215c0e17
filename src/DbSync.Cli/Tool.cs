using System.CommandLine;
using System.CommandLine.Help;
using DbSync.Cli.Commands;

namespace DbSync.Cli;

/// <summary>The <c>dbsync</c> tool: parses the command line and runs one command.</summary>
internal static class Tool
{
    /// <summary>Runs one command line; returns the exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, TextWriter output, TextWriter error)
    {
        var root = CreateRoot(output, error);
        var parsed = root.Parse(arguments);
        var configuration = new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null, // signals are Interruption's
        };
        if (parsed.Errors.Count > 0)
        {
            var console = new ToolConsole(output, error, parsed.GetValue(GlobalOptions.Json));
            var problems = parsed.UnmatchedTokens.Count > 0 ? parsed.UnmatchedTokens.Select(t => $"'{t}' is no command or option here.") : parsed.Errors.Select(e => e.Message);
            var help = $"Run 'dbsync {PathOf(parsed.CommandResult.Command)}--help'.";
            foreach (var problem in problems) console.Say($"dbsync: {problem}");
            console.Say(help);
            console.WriteError(ErrorCodes.InvalidOption, string.Join(' ', problems), help);
            return ExitCode.Usage;
        }
        return await parsed.InvokeAsync(configuration);
    }

    public static Command CreateRoot(TextWriter output, TextWriter error)
    {
        var runner = new CommandRunner(output, error);
        var root = new Command("dbsync", "Local SQLite read replicas of a PostgreSQL database.") { new HelpOption(), new VersionOption() };
        (Command Command, string Example)[] commands =
        [
            DoctorCommand.Create(runner),
            InitCommand.Create(runner),
            RunCommand.Create(runner),
            StatusCommand.Create(runner),
            VerifyCommand.Create(runner),
            SqlCommand.Create(runner),
            ResyncCommand.Create(runner),
            BackupCommand.Create(runner),
            RestoreCommand.Create(runner),
            QueriesCommand.Create(runner),
            PlanMigrationCommand.Create(runner),
            UninstallCommand.Create(runner),
            ExplainCommand.Create(runner),
        ];
        var groups = new[] { ShardsCommand.Create(runner), LocksCommand.Create(runner) }; // each a command and those below it
        foreach (var (command, _) in commands.Concat(groups.Select(g => g[0]))) root.Add(command);
        foreach (var option in GlobalOptions.All) root.Add(option);
        var examples = commands.Concat(groups.SelectMany(g => g)).ToDictionary(c => c.Command, c => c.Example);
        examples.Add(root, "dbsync init --primary 'Host=localhost;Database=shop;Username=app' && dbsync run");
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new ExampleHelp((HelpAction)help.Action!, examples);
        return root;
    }

    private static string PathOf(Command command) => command.Parents.FirstOrDefault() is Command parent ? $"{PathOf(parent)}{command.Name} " : "";
}
