using DbSync.Postgres;
using Microsoft.Extensions.Logging;

namespace DbSync.Hosting;

/// <summary>What <c>dbsync init</c> does, by the application itself where it is allowed to.</summary>
internal sealed partial class EngineSetup(ILogger logger)
{
    private readonly ILogger _logger = logger;

    /// <summary>Does what is missing. Where a node is set up already, a failure is only said: what is there goes on.</summary>
    /// <exception cref="DbSyncException">What <see cref="NodeSetup"/> throws, for a node that isn't there yet.</exception>
    public async Task RunAsync(NodePlace place, DbSyncOptions settings, CancellationToken cancellationToken)
    {
        using var activity = Telemetry.Activities.StartActivity("dbsync.setup");
        try
        {
            await using var primary = new Primary(place.Primary);
            await SetupPreflight.RequireAsync(primary, schemaOnly: false, check => LogCheck(check.Code, check.Detail), cancellationToken);
            var result = await new NodeSetup(primary).RunAsync(
                new SetupRequest
                {
                    Replica = settings.Replica,
                    Node = settings.Node,
                    DataDirectory = place.DataDirectory,
                    Tables = settings.Tables.Count > 0 ? [.. settings.Tables] : null,
                    Sharding = ShardingArguments.Parse(settings.Shards, KeysOf(settings), null, copies: 1),
                },
                dryRun: false, cancellationToken);
            foreach (var refusal in result.Refused) LogLeftOut(refusal.Table, refusal.Code, refusal.Reason);
            if (result.Statements.Count > 0) LogSetUp(result.Statements.Count, result.Tables.Count);
        }
        catch (DbSyncException exception) when (NodeFile.TryLoad(place.DataDirectory) is not null)
        {
            LogNotRenewed(exception.Code, exception.Message);
        }
    }

    /// <summary>The shard keys as <c>dbsync init</c> takes them.</summary>
    public static string? KeysOf(DbSyncOptions settings) => settings.ShardKeys.Count == 0 ? null : string.Join(',', settings.ShardKeys.Select(k => $"{k.Key}={k.Value}"));

    [LoggerMessage(1211, LogLevel.Information, "Set up on the primary with {Statements} statements; {Tables} tables are published")]
    private partial void LogSetUp(int statements, int tables);

    [LoggerMessage(1212, LogLevel.Warning, "{Table} is left out ({Code}): {Reason}")]
    private partial void LogLeftOut(string table, string code, string reason);

    [LoggerMessage(1213, LogLevel.Warning, "{Detail} ({Code})")]
    private partial void LogCheck(string code, string detail);

    [LoggerMessage(1214, LogLevel.Warning, "The setup was not looked at again ({Code}): {Reason}")]
    private partial void LogNotRenewed(string code, string reason);
}
