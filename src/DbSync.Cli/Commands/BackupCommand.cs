using System.CommandLine;
using DbSync.Hosting;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync backup</c>: copies the shards, all at one position, while they are written.</summary>
internal static class BackupCommand
{
    private static readonly Argument<string> Root = new("directory") { Description = "Where backups are kept; each has a directory of its own below it." };

    private static readonly Option<int?> Keep = new("--keep")
    {
        Description = "Delete the oldest ones beyond so many; all are kept when not given.", HelpName = "COUNT",
        Validators = { result => { if (result.Tokens.Count == 1 && !(int.TryParse(result.Tokens[0].Value, out var count) && count > 0)) result.AddError("--keep is a number from 1 on."); } },
    };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("backup", "Copy the replica's files, all at one position, whether a node runs or not. Needs nothing of the primary.") { Root, Keep };
        runner.Bind(command, RunAsync);
        return (command, "dbsync backup /var/backups/replica --keep 7");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        settings.LoadIdentity();
        var started = TimeProvider.System.GetTimestamp();
        var root = Path.GetFullPath(context.Arguments.GetValue(Root)!);
        var (path, manifest, removed) = await new BackupWriter(settings.Data, TimeProvider.System).WriteAsync(root, context.Arguments.GetValue(Keep), context.Cancellation);
        var bytes = manifest.Shards.Sum(s => s.Bytes);
        console.WriteJson(new
        {
            Directory = path, manifest.Lsn, manifest.TakenAt, Bytes = bytes, manifest.Shards, manifest.Tables, Removed = removed,
            DurationMs = TimeProvider.System.GetElapsedTime(started).TotalMilliseconds,
        });
        if (!console.IsJson) console.Line($"{path}: {Units.Bytes(bytes)} at position {manifest.Lsn}, every file checked.{(removed.Count > 0 ? $" {removed.Count} older ones deleted." : "")}");
        return ExitCode.Ok;
    }
}
