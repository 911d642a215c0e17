using System.CommandLine;
using DbSync.Cli.Running;
using DbSync.Cli.Sharding;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync shards</c>: the shards of a replica.</summary>
internal static class ShardsCommand
{
    private static readonly Option<bool> Buckets = new("--buckets") { Description = "Read all rows and name the buckets that hold most of them." };

    public static (Command Command, string Example)[] Create(CommandRunner runner)
    {
        var list = new Command("list", "Draw the shards: weights, buckets, rows, bytes, how far each is behind, and how even they are.") { Buckets };
        runner.Bind(list, context => Task.FromResult(List(context)));
        var shards = new Command("shards", "The shards of a sharded replica.") { list };
        return [(shards, "dbsync shards list"), (list, "dbsync shards list --buckets --json")];
    }

    private static int List(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var report = ShardsReport.Read(NodeHost.LoadIdentity(settings), settings.Data, context.Arguments.GetValue(Buckets), context.Cancellation);
        console.WriteJson(report);
        if (!console.IsJson) console.People.Write(ShardsPage.Of(report));
        return ExitCode.Ok;
    }
}
