using System.CommandLine;
using DbSync.Cli.Running;
using DbSync.Cli.Sharding;
using DbSync.Postgres;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync shards</c>: the shards of a replica.</summary>
internal static class ShardsCommand
{
    private static readonly Option<bool> Buckets = new("--buckets") { Description = "Read all rows and name the buckets that hold most of them." };

    private static readonly Option<string?> Add = new("--add") { Description = "Shards to add, with weights.", HelpName = "A:WEIGHT[@NODE],..." };

    private static readonly Option<string?> Remove = new("--remove") { Description = "Shards to take away.", HelpName = "A,B" };

    private static readonly Option<string?> Weigh = new("--weigh") { Description = "Shards to give another weight; 0 empties one.", HelpName = "A:WEIGHT,..." };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Only say what would move." };

    private static readonly Option<bool> Yes = new("--yes") { Description = "Do it; without it nothing is changed." };

    private static readonly Argument<string> Named = new("shards") { Description = "Shards, with commas between.", HelpName = "A,B" };

    private static readonly Argument<string> Weights = new("weights") { Description = "Shards and their weights, 1 unless given; 0 empties one.", HelpName = "A:WEIGHT,..." };

    public static (Command Command, string Example)[] Create(CommandRunner runner)
    {
        var list = new Command("list", "Draw the shards: weights, buckets, rows, bytes, how far each is behind, and how even they are.") { Buckets };
        runner.Bind(list, context => Task.FromResult(List(context)));
        var plan = new Command("plan", "Say what another set of shards would move: buckets, rows, bytes. Nothing is changed.") { Add, Remove, Weigh };
        runner.Bind(plan, context => Task.FromResult(Plan(context)));
        var add = new Command("add", "Add shards: buckets are copied to them while the replica is read and follows, compared with the primary's, and then switched.") { Weights, DryRun, Yes };
        runner.Bind(add, context => MoveAsync(context, new ShardChanges(ShardingArguments.Members(context.Arguments.GetValue(Weights)), [], [])));
        var remove = new Command("remove", "Take shards away: what they hold goes to the others, as with 'add'.") { Named, DryRun, Yes };
        runner.Bind(remove, context => MoveAsync(context, new ShardChanges([], ShardingArguments.Split(context.Arguments.GetValue(Named)), [])));
        var weigh = new Command("weigh", "Give shards other weights: buckets go from shard to shard, as with 'add'.") { Weights, DryRun, Yes };
        runner.Bind(weigh, context => MoveAsync(context, new ShardChanges([], [], ShardingArguments.Members(context.Arguments.GetValue(Weights)))));
        var goOn = new Command("continue", "Go on with buckets that are on their way, from where it was left.");
        runner.Bind(goOn, context => ChangeAsync(context, (change, layout, token) => change.ContinueAsync(layout, token)));
        var settle = new Command("settle", "Delete what shards have given up: from then on it can't be taken back.") { Yes };
        runner.Bind(settle, context => ConfirmedAsync(context, (change, layout, token) => change.SettleAsync(layout, token)));
        var rollback = new Command("rollback", "Take back what is on its way or was switched, until it is settled.") { Yes };
        runner.Bind(rollback, context => ConfirmedAsync(context, (change, layout, token) => change.RollbackAsync(layout, token)));
        var shards = new Command("shards", "The shards of a sharded replica.") { list, plan, add, remove, weigh, goOn, settle, rollback };
        return
        [
            (shards, "dbsync shards list"), (list, "dbsync shards list --buckets --json"), (plan, "dbsync shards plan --add d:2 --remove a"),
            (add, "dbsync shards add d:2 --yes"), (remove, "dbsync shards remove a --yes"), (weigh, "dbsync shards weigh a:3,b:1 --yes"), (goOn, "dbsync shards continue"), (settle, "dbsync shards settle --yes"), (rollback, "dbsync shards rollback --yes"),
        ];
    }

    private static Task<int> MoveAsync(CommandContext context, ShardChanges changes)
    {
        if (!context.Arguments.GetValue(DryRun) && context.Arguments.GetValue(Yes))
            return ChangeAsync(context, async (change, layout, token) => await change.ContinueAsync(await change.BeginAsync(layout, changes.Apply(layout.Map.Topology), token), token));
        var report = MovesReport.Read(context.Settings.LoadIdentity(), context.Settings.Data, changes, context.Cancellation);
        context.Console.WriteJson(report);
        if (!context.Console.IsJson) context.Console.People.Write(report.ToPage());
        if (!context.Arguments.GetValue(DryRun)) context.Console.Say("Nothing was changed: with --yes it is done.");
        return Task.FromResult(ExitCode.Ok);
    }

    private static Task<int> ConfirmedAsync(CommandContext context, Func<MapChange, ShardLayout, CancellationToken, Task<ShardLayout>> action) => context.Arguments.GetValue(Yes)
        ? ChangeAsync(context, action)
        : throw new DbSyncException(ErrorCodes.InvalidOption, "This can't be undone.", "Give --yes when it is meant.");

    private static async Task<int> ChangeAsync(CommandContext context, Func<MapChange, ShardLayout, CancellationToken, Task<ShardLayout>> action)
    {
        var (settings, console) = (context.Settings, context.Console);
        await using var primary = new Primary(settings.Primary);
        var change = new MapChange(primary, settings.LoadIdentity(), settings.Data, console, TimeProvider.System);
        var layout = await action(change, await change.ReadAsync(context.Cancellation), context.Cancellation);
        console.WriteJson(new { MapVersion = layout.Version, Stage = ShardsReport.StageOf(layout), Shards = layout.Map.Topology.Shards.Select((s, i) => new { Id = s.Id.Name, s.Weight, Buckets = layout.Map.CountCopies()[i] }) });
        if (console.IsJson) return ExitCode.Ok;
        console.Line($"Map version {layout.Version}: {MapChange.Describe(layout)}.");
        if (layout.Motion is not null) console.Line("'dbsync shards settle' deletes what was given up; until then 'dbsync shards rollback' takes it back.");
        return ExitCode.Ok;
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
