using System.CommandLine;
using DbSync.Cli.Running;
using DbSync.Postgres;
using DbSync.Sqlite;
using Spectre.Console;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync doctor</c>: every precondition, how it stands, and what mends it.</summary>
internal static class DoctorCommand
{
    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("doctor", "Check every precondition; each comes with a code, why it matters, and the statement that mends it. Exits 3 when one fails.");
        runner.Bind(command, RunAsync);
        return (command, "dbsync doctor --json");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console) = (context.Settings, context.Console);
        var identity = NodeFile.TryLoad(settings.Data);
        await using var primary = new Primary(settings.Primary);
        List<PreflightCheck> checks = [LocalChecks.Sqlite(), LocalChecks.Directory(settings.Data), TransportCheck.Of(primary)];
        var exitWhenUnreachable = ExitCode.Ok;
        try
        {
            checks.AddRange(await RemoteAsync(settings, identity, primary, context.Cancellation));
        }
        catch (DbSyncException exception) when (ExitCode.Of(exception.Code) == ExitCode.Unreachable)
        {
            checks.Add(PreflightCheck.Fail(CheckCodes.Reachable, "primary", exception.Message, "Everything else depends on it.", exception.Fix));
            exitWhenUnreachable = ExitCode.Unreachable;
        }
        var ok = checks.TrueForAll(c => c.State != CheckState.Fail);
        console.WriteJson(new { Ok = ok, Checks = checks });
        if (!console.IsJson) Print(console, checks, ok);
        return exitWhenUnreachable != ExitCode.Ok ? exitWhenUnreachable : ok ? ExitCode.Ok : ExitCode.Preflight;
    }

    private static async Task<List<PreflightCheck>> RemoteAsync(ToolSettings settings, NodeFile? identity, Primary primary, CancellationToken cancellationToken)
    {
        var server = await ServerFacts.ReadAsync(primary, cancellationToken);
        var publication = identity?.Publication ?? ReplicaNames.Publication(settings.Replica);
        var checks = ServerChecks.All(server, hasSlot: identity is not null).ToList();
        checks.Add(await NodeChecks.ControlSchemaAsync(primary, server, cancellationToken));
        var state = await primary.UseAsync(c => PublicationState.ReadAsync(c, publication, cancellationToken), cancellationToken);
        checks.Add(NodeChecks.Publication(publication, state));
        checks.Add(NodeChecks.SchemaChanges(await primary.UseAsync(c => SchemaTriggers.ReadAsync(c, cancellationToken), cancellationToken), server, state));
        checks.AddRange(await TableChecks.RunAsync(primary, server, publication, state, cancellationToken));
        checks.AddRange(await ShardingChecks.RunAsync(primary, identity?.Replica ?? settings.Replica, state, cancellationToken));
        if (identity is null) return checks;
        var slot = await new ReplicationSlot(primary, identity.Slot).ReadAsync(cancellationToken);
        checks.AddRange(NodeChecks.Slot(identity.Slot, slot, PositionOf(settings.Data, identity)));
        return checks;
    }

    /// <summary>The smallest position of the shards; a shard that is not there yet begins where the slot was made.</summary>
    private static Lsn PositionOf(string directory, NodeFile identity) => identity.Shards.Min(shard =>
    {
        if (!File.Exists(Path.Combine(directory, shard.File))) return identity.StartPosition;
        using var view = new ShardView(directory, shard);
        return Lsn.Max(view.Position, identity.StartPosition);
    });

    private static void Print(ToolConsole console, IReadOnlyList<PreflightCheck> checks, bool ok)
    {
        var page = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(1)).AddColumn(new GridColumn().NoWrap().PadRight(2)).AddColumn(new GridColumn().PadRight(0));
        foreach (var check in checks)
        {
            var (mark, color) = check.State switch { CheckState.Ok => ("ok", Color.Green), CheckState.Warn => ("warn", Color.Yellow), _ => ("FAIL", Color.Red) };
            page.AddRow(new Text(mark, new Style(color)), new Text(check.Code), new Text($"{check.Name}: {check.Detail}"));
            foreach (var more in new[] { check.Why, check.Fix }.OfType<string>()) page.AddRow(Text.Empty, Text.Empty, new Text(more));
        }
        console.People.Write(page);
        var failed = checks.Count(c => c.State == CheckState.Fail);
        console.Line(ok ? "All preconditions hold." : $"{failed} precondition(s) do not hold.");
    }
}
