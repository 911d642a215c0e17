using System.CommandLine;
using DbSync.Postgres;

namespace DbSync.Cli.Commands;

/// <summary><c>dbsync init</c>: control schema, publication, slot and data directory.</summary>
internal static class InitCommand
{
    private static readonly Option<string?> Tables = new("--tables")
    {
        Description = "The tables to replicate, as schema.table with commas between; all that can be published when not given.", HelpName = "A,B",
    };

    private static readonly Option<string?> Shards = new("--shards")
    {
        Description = "Spread the rows over shards: how many, or their names with weights, and the nodes that hold them.", HelpName = "N|A:WEIGHT[@NODE],...",
    };

    private static readonly Option<string?> ShardKeys = new("--shard-key")
    {
        Description = "By which columns tables are sharded; several columns with + between. Tables that refer to these by their key follow.", HelpName = "TABLE=COLUMN,...",
    };

    private static readonly Option<string?> References = new("--reference")
    {
        Description = "Tables that every shard holds whole, whatever their size; small ones need not be named.", HelpName = "A,B",
    };

    private static readonly Option<int> Copies = new("--copies") { Description = "Copies of every sharded row, in different shards.", DefaultValueFactory = _ => 1 };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Print the SQL and change nothing." };

    private static readonly Option<bool> SchemaOnly = new("--schema-only")
    {
        Description = "Only the control schema, the publication and the grants: the owner's part, for a role that runs nodes later.",
    };

    private static readonly Option<string?> GrantTo = new("--grant-to") { Description = "A role to grant what running a node needs.", HelpName = "ROLE" };

    private static readonly Option<string?> GrantApp = new("--grant-app")
    {
        Description = "The application's role, to grant the functions that it calls: range locks, and moving replicas on while a read waits.", HelpName = "ROLE",
    };

    private static readonly Option<bool> TakeOver = new("--take-over")
    {
        Description = "Take the name of a node whose data directory is lost: its slot is dropped and all is copied again.",
    };

    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("init", "Set a node up: control schema, publication, replication slot, data directory. Running it again changes nothing.")
        {
            Tables, Shards, ShardKeys, References, Copies, DryRun, SchemaOnly, GrantTo, GrantApp, TakeOver,
        };
        runner.Bind(command, RunAsync);
        return (command, "dbsync init --primary 'Host=localhost;Database=shop;Username=app' --tables orders,customers --dry-run");
    }

    private static async Task<int> RunAsync(CommandContext context)
    {
        var (settings, console, arguments) = (context.Settings, context.Console, context.Arguments);
        await using var primary = new Primary(settings.Primary);
        var request = new SetupRequest
        {
            Replica = settings.Replica,
            Node = settings.Node,
            DataDirectory = settings.Data,
            Tables = arguments.GetValue(Tables)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
            Sharding = ShardingArguments.Parse(
                arguments.GetValue(Shards), arguments.GetValue(ShardKeys), arguments.GetValue(References), arguments.GetValue(Copies)),
            SchemaOnly = arguments.GetValue(SchemaOnly),
            GrantTo = arguments.GetValue(GrantTo),
            GrantApp = arguments.GetValue(GrantApp),
            TakeOver = arguments.GetValue(TakeOver),
        };
        var dryRun = arguments.GetValue(DryRun);
        await SetupPreflight.RequireAsync(primary, request.SchemaOnly, check => Warn(console, check), context.Cancellation);
        var result = await new NodeSetup(primary).RunAsync(request, dryRun, context.Cancellation);
        console.WriteJson(new
        {
            settings.Replica,
            result.Node,
            result.Slot,
            result.Publication,
            DryRun = dryRun,
            Changed = !dryRun && result.Statements.Count > 0,
            result.Statements,
            result.Tables,
            Refused = result.Refused.Select(r => new { r.Table, r.Code, r.Reason, r.Fix }),
            Shards = result.Sharding.Layout?.Map.Topology.Shards.Select(s => new { Id = s.Id.Name, s.Weight }),
            ShardKeys = result.Sharding.Layout?.Keys.ToDictionary(k => k.Key, k => k.Value.Columns, StringComparer.Ordinal),
            References = result.Sharding.Layout is null ? null : result.Sharding.References.Select(r => new { r.Table, r.Bytes }),
        });
        if (!console.IsJson) Print(console, result, dryRun, settings);
        return ExitCode.Ok;
    }

    private static void Warn(ToolConsole console, PreflightCheck check)
    {
        console.Warn($"{check.Detail} ({check.Code})");
        if (check.Fix is not null) console.Say($"    {check.Fix}");
    }

    private static void Print(ToolConsole console, SetupResult result, bool dryRun, ToolSettings settings)
    {
        if (dryRun)
        {
            console.Line(result.Statements.Count == 0 ? "-- Nothing to do." : string.Join(Environment.NewLine, result.Statements));
        }
        else
        {
            console.Line(result.Statements.Count == 0 ? "Nothing to do: everything is set up." : "Set up.");
            if (result.Node is not null) console.Line($"  node         {result.Node} of replica {settings.Replica}, in {settings.Data}");
            if (result.Slot is not null) console.Line($"  slot         {result.Slot}");
            console.Line($"  publication  {result.Publication}");
            console.Line($"  tables       {(result.Tables.Count == 0 ? "none" : string.Join(", ", result.Tables))}");
        }
        if (!dryRun && result.Sharding.Layout is { } layout)
        {
            console.Line($"  shards       {string.Join(", ", layout.Map.Topology.Shards.Select(s => s.Id.Name))}");
            console.Line($"  sharded      {string.Join(", ", layout.Keys.Select(k => $"{k.Key} by {string.Join("+", k.Value.Columns)}"))}");
            console.Line($"  everywhere   {(result.Sharding.References.Count == 0 ? "none" : string.Join(", ", result.Sharding.References.Select(r => $"{r.Table} ({Units.Bytes(r.Bytes)})")))}");
        }
        foreach (var refusal in result.Refused)
        {
            console.Warn($"{refusal.Table} is left out ({refusal.Code}): {refusal.Reason}");
            if (refusal.Fix is not null) console.Say($"    {refusal.Fix}");
        }
        if (!dryRun && result.Node is not null) console.Say("Next: dbsync run");
    }
}
