using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>Compares tables that are suspect with the primary's, reads the rows that differ again, and lets the tables be read.</summary>
/// <remarks>
/// A row that was equal at the position of the comparison stays so, since every change is applied; one that was not is read again later, while
/// the shards stand still. So the table is equal after the last of them.
/// </remarks>
/// <param name="factory">Who compares.</param>
/// <param name="node">The node.</param>
/// <param name="isServed">Whether its files are those that readers use.</param>
/// <param name="options">How often it is looked for suspect tables, and all tables are compared.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Where it is told.</param>
internal sealed partial class Mender(INodeFactory factory, SyncNode node, Func<bool> isServed, ReseedOptions options, TimeProvider time, ILogger logger)
{
    private readonly ILogger _logger = logger;
    private string? _said;
    private long _verifiedAt = time.GetTimestamp();

    /// <summary>Mends whatever becomes suspect while the node runs.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                if (isServed() && node.Status().Pipeline == PipelineState.Streaming)
                {
                    if (await node.SuspectsAsync(cancellationToken) is { Count: > 0 } suspects) await MendAsync(suspects, cancellationToken);
                    else if (options.VerifyInterval is { } every && time.GetElapsedTime(_verifiedAt) >= every) await VerifyAsync(cancellationToken);
                }
            }
            catch (DbSyncException exception) when (ReseedCauses.Of(exception.Code) is null && exception.Code != ErrorCodes.StorageFailed)
            {
                if (_said != exception.Message) LogLater(_said = exception.Message);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // A shard rolled back what it was given because its stream broke, or it stopped and says why.
            }
            await Task.Delay(options.LookInterval, time, cancellationToken);
        }
    }

    private async Task MendAsync(IReadOnlyList<TableSchema> suspects, CancellationToken cancellationToken)
    {
        var damages = (await factory.CompareAsync(suspects, 1, cancellationToken)).ToDictionary(d => d.Table.Id);
        foreach (var table in suspects)
        {
            var damage = damages.GetValueOrDefault(table.Id);
            var isMended = damage is null || (damage.IsWhole && await TryReadAgainAsync(damage, cancellationToken));
            Failpoint.Hit(Failpoint.AfterMended);
            await node.SettleAsync(table, isMended, cancellationToken);
            if (isMended) LogMended(table.ReplicaName, damage?.Rows.Keys.Count ?? 0);
            else LogCopied(table.ReplicaName);
        }
    }

    /// <summary>Compares every table that is read, and mends what differs beside the reading.</summary>
    private async Task VerifyAsync(CancellationToken cancellationToken)
    {
        _verifiedAt = time.GetTimestamp();
        var tables = await node.LiveAsync(cancellationToken);
        foreach (var damage in await factory.CompareAsync(tables, options.VerifyShare, cancellationToken))
        {
            LogDiffers(damage.Table.ReplicaName);
            if (!damage.IsWhole || !await TryReadAgainAsync(damage, cancellationToken)) await node.ResyncAsync([damage.Table.ReplicaName], cancellationToken);
        }
    }

    private async Task<bool> TryReadAgainAsync(TableDamage damage, CancellationToken cancellationToken)
    {
        var tables = new Dictionary<string, RowDamage>(StringComparer.Ordinal) { [damage.Table.ReplicaName] = damage.Rows };
        var answer = await node.RepairAsync(new RepairRequest("", tables), cancellationToken);
        if (answer.Failed.Count == 0) return true;
        var code = answer.Failed.Values.First();
        if (code != ErrorCodes.StatementRefused) throw new DbSyncException(code, "The rows could not be read again.");
        return false;
    }

    [LoggerMessage(1211, LogLevel.Information, "{Table} was compared with the primary's at one position, and can be read again: {Rows} rows differed and are mended")]
    private partial void LogMended(string table, int rows);

    [LoggerMessage(1212, LogLevel.Warning, "{Table} is copied again: too much of it differs, or its rows can't be told apart by a key")]
    private partial void LogCopied(string table);

    [LoggerMessage(1214, LogLevel.Warning, "{Table} is unlike the primary's (DBS5001): something else wrote to a shard's file, or the disk changed it. The rows are read again")]
    private partial void LogDiffers(string table);

    [LoggerMessage(1213, LogLevel.Warning, "Suspect tables are compared later: {Reason}")]
    private partial void LogLater(string reason);
}
