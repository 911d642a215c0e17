using System.CommandLine;
using DbSync.Hosting;
using DbSync.Postgres;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync restore</c>: puts a backup, or a copy of another node's files, into the data directory.</summary>
internal static class RestoreCommand
{
    private static readonly Argument<string> Source = new("directory")
    {
        Description = "A backup, a directory of backups (the newest is taken), or the data directory of another node on this machine.",
    };

    private static readonly Option<bool> Replace = new("--replace") { Description = "Put the backup in the place of files that are newer." };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command(
            "restore", "Check a backup and put it in place, in one step; 'dbsync run' then brings it up to date. With another --node, set a new node up with its rows.") { Source, Replace };
        runner.Bind(command, RunAsync);
        return (command, "dbsync restore /var/backups/replica && dbsync run");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var started = TimeProvider.System.GetTimestamp();
        var source = Path.GetFullPath(context.Arguments.GetValue(Source)!);
        var replaces = context.Arguments.GetValue(Replace);
        var restorer = new Restorer(settings.Data, TimeProvider.System);
        var backup = File.Exists(Path.Combine(source, NodeFile.FileName)) ? null : Restorer.Resolve(source);
        var origin = backup is null ? NodeFile.Load(source) : BackupManifest.Load(backup).Node;
        NodeFile node;
        if (backup is not null && (settings.Node ?? origin.Node) == origin.Node)
        {
            node = await restorer.RestoreAsync(backup, manifest => manifest.Node, replaces, context.Cancellation);
        }
        else
        {
            await using var primary = new Primary(settings.Primary);
            var seeding = new NodeSeed(primary, settings.Data, TimeProvider.System);
            node = await seeding.RunAsync(origin, ReplicaNames.Check(settings.Node ?? ReplicaNames.NewNode(), "node"), backup, backup is null ? source : null, console.Say, context.Cancellation);
        }
        console.WriteJson(new
        {
            node.Replica, node.Node, node.Slot, From = backup ?? source, Files = node.Shards.Select(s => s.File),
            DurationMs = TimeProvider.System.GetElapsedTime(started).TotalMilliseconds,
        });
        if (!console.IsJson) console.Line($"Node '{node.Node}' of replica '{node.Replica}' is in place. 'dbsync run' brings it up to date; where the log is gone, rows are compared and only those that differ are read.");
        return ExitCode.Ok;
    }
}
