using System.CommandLine;
using DbSync.Cli.Locks;
using DbSync.Locking;
using Spectre.Console;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync locks</c>: who holds and who waits for ranges of keys, and what an operator may do about it.</summary>
internal static class LocksCommand
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    private static readonly Argument<string?> AnyResource = new("RESOURCE") { Description = "Only this resource, such as a table.", Arity = ArgumentArity.ZeroOrOne };

    private static readonly Argument<string> Resource = new("RESOURCE") { Description = "The resource, such as a table." };

    private static readonly Argument<string> Lock = new("LOCK") { Description = "The lock or wait, as 'dbsync locks list' shows it: client/request." };

    private static readonly Option<string?> Prefix = new("--prefix") { Description = "What the application's keys in Redis begin with (RedisRangeLockOptions.Prefix).", HelpName = "PREFIX" };

    private static readonly Option<bool> Yes = new("--yes") { Description = "Don't ask." };

    /// <summary>The group, and an example for it and each of its commands.</summary>
    public static IReadOnlyList<(Command Command, string Example)> Create(CommandRunner runner)
    {
        var list = new Command("list", "Show the ranges held and waited for now.") { AnyResource, Prefix };
        var watch = new Command("watch", "Show them again every second until stopped.") { AnyResource, Prefix };
        var release = new Command("release", "Revoke a lock: its holder is told that it is lost. Or end a wait.") { Resource, Lock, Prefix, Yes };
        var reset = new Command("reset", "Forget every lock of a resource and begin a new epoch: every token so far is refused from now on.") { Resource, Prefix, Yes };
        runner.Bind(list, ListAsync);
        runner.Bind(watch, WatchAsync);
        runner.Bind(release, ReleaseAsync);
        runner.Bind(reset, ResetAsync);
        watch.Validators.Add(result =>
        {
            if (result.GetValue(GlobalOptions.Json)) result.AddError("'locks watch' and --json exclude each other: --json is one object.");
        });
        return
        [
            (new Command("locks", "Range locks: list, watch, release, reset.") { list, watch, release, reset }, "dbsync locks list --redis localhost:6379"),
            (list, "dbsync locks list public.seats --json"),
            (watch, "dbsync locks watch public.seats"),
            (release, "dbsync locks release public.seats 6f0c2a91d3b4e857-1/42 --yes"),
            (reset, "dbsync locks reset public.seats --yes"),
        ];
    }

    private static async Task<int> ListAsync(CommandContext context)
    {
        await using var server = await OpenAsync(context);
        var snapshots = await server.LookAsync(context.Arguments.GetValue(AnyResource), context.Cancellation);
        context.Console.WriteJson(LockReport.Of(snapshots));
        if (!context.Console.IsJson) context.Console.People.Write(LockPage.Of(snapshots, context.Console.People.Profile.Width));
        return ExitCode.Ok;
    }

    private static async Task<int> WatchAsync(CommandContext context)
    {
        await using var server = await OpenAsync(context);
        var (people, resource) = (context.Console.People, context.Arguments.GetValue(AnyResource));
        await people.Live(new Text("")).Cropping(VerticalOverflowCropping.Bottom).StartAsync(async live =>
        {
            while (true)
            {
                live.UpdateTarget(LockPage.Of(await server.LookAsync(resource, context.Cancellation), people.Profile.Width));
                await Task.Delay(WatchInterval, TimeProvider.System, context.Cancellation);
            }
        });
        return ExitCode.Ok;
    }

    private static async Task<int> ReleaseAsync(CommandContext context)
    {
        var (resource, text) = (new LockResource(context.Arguments.GetRequiredValue(Resource)), context.Arguments.GetRequiredValue(Lock));
        if (!LockEntryId.TryParse(text, out var id))
            throw new DbSyncException(ErrorCodes.InvalidOption, "That is no lock's name.", "Write client/request, as 'dbsync locks list' shows it.");
        await using var server = await OpenAsync(context);
        if (!Confirm(context, "The holder is told that its lock is lost, and what it writes under the fence is refused once a newer holder is there.")) return ExitCode.Cancelled;
        await server.Inspector.ReleaseAsync(resource, id, context.Cancellation);
        context.Console.WriteJson(new { Resource = resource.Name, Released = id.ToString() });
        if (!context.Console.IsJson) context.Console.Line("Released.");
        return ExitCode.Ok;
    }

    private static async Task<int> ResetAsync(CommandContext context)
    {
        var resource = new LockResource(context.Arguments.GetRequiredValue(Resource));
        await using var server = await OpenAsync(context, withPrimary: true);
        if (!Confirm(context, "Every holder of the resource loses its lock, and every wait begins again.")) return ExitCode.Cancelled;
        var (epoch, removed) = await server.ResetAsync(resource, context.Cancellation);
        context.Console.WriteJson(new { Resource = resource.Name, Epoch = epoch, FenceRowsRemoved = removed });
        if (!context.Console.IsJson) context.Console.Line($"Epoch {epoch} has begun; {Units.Count(removed)} rows were taken out of the fence.");
        return ExitCode.Ok;
    }

    private static Task<LockServer> OpenAsync(CommandContext context, bool withPrimary = false) =>
        LockServer.OpenAsync(context.Settings, context.Arguments.GetValue(Prefix), withPrimary, context.Cancellation);

    private static bool Confirm(CommandContext context, string consequence)
    {
        if (context.Arguments.GetValue(Yes)) return true;
        if (!context.Console.IsTerminal) throw new DbSyncException(ErrorCodes.InvalidOption, "This asks first, and there is nobody to ask here.", "Add --yes.");
        context.Console.Say(consequence);
        return context.Console.Progress.Confirm("Do it?", defaultValue: false);
    }
}
