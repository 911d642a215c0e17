using System.CommandLine;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync explain</c>: the long form of any code, state or metric.</summary>
internal static class ExplainCommand
{
    private const string Failpoints = "failpoints";

    private static readonly Argument<string?> Topic = new("TOPIC")
    {
        Description = "A code (DBS2003), a state or 'state', a metric or 'metric', or 'failpoints'; without one, the list of codes.", Arity = ArgumentArity.ZeroOrOne,
    };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("explain", "What a code, a state or a figure means, why it matters and what to do.") { Topic };
        runner.Bind(command, context => Task.FromResult(Run(context)));
        return (command, "dbsync explain DBS2003");
    }

    private static int Run(CommandContext context)
    {
        var topic = context.Arguments.GetValue(Topic);
        if (topic is null) List(context.Console);
        else if (string.Equals(topic, Failpoints, StringComparison.OrdinalIgnoreCase)) ListFailpoints(context.Console);
        else Print(context.Console, topic);
        return ExitCode.Ok;
    }

    private static void Print(ToolConsole console, string topic)
    {
        var text = Explanations.Find(topic) ?? throw new DbSyncException(
            ErrorCodes.UnknownTopic, $"Nothing is known of '{topic}'.", "'dbsync explain' lists the topics.");
        console.WriteJson(new { Topic = topic, Text = text });
        if (!console.IsJson) console.Line(text.TrimEnd());
    }

    private static void List(ToolConsole console)
    {
        console.WriteJson(new { Topics = Explanations.Topics.Select(t => new { Topic = t, Title = Explanations.TitleOf(t) }).Append(new { Topic = Failpoints, Title = "where a test can kill the process" }) });
        if (console.IsJson) return;
        foreach (var topic in Explanations.Topics) console.Line($"{topic,-10} {Explanations.TitleOf(topic)}");
        console.Line($"{Failpoints,-10} where a test can kill the process");
    }

    private static void ListFailpoints(ToolConsole console)
    {
        console.WriteJson(new { Variable = Failpoint.EnvironmentVariable, Failpoints = Failpoint.All.Select(f => new { f.Name, f.Meaning }) });
        if (console.IsJson) return;
        console.Line($"Armed by {Failpoint.EnvironmentVariable}=name:count, the count-th passing of a point kills the process there (SIGKILL). Then:");
        console.Line();
        foreach (var (name, meaning) in Failpoint.All) console.Line($"{name,-22} {meaning}");
    }
}
