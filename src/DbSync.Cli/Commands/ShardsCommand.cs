using System.CommandLine;
using DbSync.Cli.Running;
using DbSync.Cli.Sharding;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync shards</c>: the shards of a replica.</summary>
internal static class ShardsCommand
{
    private static readonly Option<bool> Buckets = new("--buckets") { Description = "Read all rows and name the buckets that hold most of them." };

    private static readonly Option<string?> Add = new("--add") { Description = "Shards to add, with weights.", HelpName = "A:WEIGHT[@NODE],..." };

    private static readonly Option<string?> Remove = new("--remove") { Description = "Shards to take away.", HelpName = "A,B" };

    private static readonly Option<string?> Weigh = new("--weigh") { Description = "Shards to give another weight; 0 empties one.", HelpName = "A:WEIGHT,..." };

    public static (Command Command, string Example)[] Create(CommandRunner runner)
    {
        var list = new Command("list", "Draw the shards: weights, buckets, rows, bytes, how far each is behind, and how even they are.") { Buckets };
        runner.Bind(list, context => Task.FromResult(List(context)));
        var plan = new Command("plan", "Say what another set of shards would move: buckets, rows, bytes. Nothing is changed.") { Add, Remove, Weigh };
        runner.Bind(plan, context => Task.FromResult(Plan(context)));
        var shards = new Command("shards", "The shards of a sharded replica.") { list, plan };
        return [(shards, "dbsync shards list"), (list, "dbsync shards list --buckets --json"), (plan, "dbsync shards plan --add d:2 --remove a")];
    }

    private static int Plan(CommandContext context)
    {
        var (settings, console, arguments) = (context.Settings, context.Console, context.Arguments);
        var changes = new ShardChanges(
            ShardingArguments.Members(arguments.GetValue(Add)), ShardingArguments.Split(arguments.GetValue(Remove)), ShardingArguments.Members(arguments.GetValue(Weigh)));
        var report = MovesReport.Read(settings.LoadIdentity(), settings.Data, changes, context.Cancellation);
        console.WriteJson(report);
        if (!console.IsJson) console.People.Write(report.ToPage());
        return ExitCode.Ok;
    }

    private static int List(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var report = ShardsReport.Read(settings.LoadIdentity(), settings.Data, context.Arguments.GetValue(Buckets), context.Cancellation);
        console.WriteJson(report);
        if (!console.IsJson) console.People.Write(ShardsPage.Of(report));
        return ExitCode.Ok;
    }
}
