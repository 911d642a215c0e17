using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// Makes rows equal to the primary's again, by their keys: reads them from the primary in a snapshot and puts them in place of what the
/// shards have, while the shards stand still at the position that equals the snapshot. So nothing has to be judged afterwards.
/// </summary>
internal sealed partial class RowRepair(
    ICopySource source, IReadOnlyList<ShardWorker> shards, IRowPlacement placement, Standstill standstill, ILogger<RowRepair> logger)
{
    /// <summary>Rows that are put in place during one standstill.</summary>
    private const int KeysAtOnceMax = 2000;

    /// <summary>Mends rows of a table that is live, or suspect.</summary>
    /// <param name="table">As the replica names it.</param>
    /// <param name="damage">The rows.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DbSyncException">DBS5004 when the shards could not be held, DBS5005 when the table is not live, DBS5003 when it has another
    /// shape by now, and what the primary says.</exception>
    public async Task RepairAsync(string table, RowDamage damage, CancellationToken cancellationToken)
    {
        var schema = await LiveAsync(table, cancellationToken);
        foreach (var batch in damage.Keys.Chunk(KeysAtOnceMax))
        {
            var done = await standstill.TryAsync(
                [schema], (snapshot, _, token) => PutAsync(schema, batch, snapshot, token), () => LogTooLong(table), cancellationToken);
            if (!done) throw new DbSyncException(ErrorCodes.VerifyTimedOut, $"{table} could not be mended: no position of the log equals a snapshot of the primary.", "Try again.");
        }
        foreach (var shard in shards.Where(s => damage.Uncounted.ContainsKey(s.Id.Name)))
        {
            await shard.InvokeAsync(
                (_, store) =>
                {
                    store.CorrectRows(schema, damage.Uncounted[shard.Id.Name]);
                    return true;
                },
                writes: true).WaitAsync(cancellationToken);
        }
        LogMended(damage.Keys.Count, table);
    }

    private async Task<TableSchema> LiveAsync(string table, CancellationToken cancellationToken)
    {
        TableSchema? found = null;
        foreach (var shard in shards)
        {
            var here = await shard.InvokeAsync((applier, _) => applier.Tables.FirstOrDefault(t => t.Schema.ReplicaName == table && (t.State == TableState.Live || t.IsSuspect))?.Schema, writes: false)
                .WaitAsync(cancellationToken);
            found = here ?? throw new DbSyncException(ErrorCodes.NotLive, $"{table} is not live.", "Wait until 'dbsync status' shows it as live.");
        }
        return found!;
    }

    private async Task PutAsync(TableSchema table, byte[][] keys, ISharedSnapshot snapshot, CancellationToken cancellationToken)
    {
        var rows = new ChunkRows();
        await source.ReadRowsAsync(table, keys, snapshot, rows, cancellationToken);
        if (!placement.IsEverywhere(table)) rows.Place(table, placement);
        for (var i = 0; i < shards.Count; i++)
        {
            var shard = 1UL << i;
            await shards[i].InvokeAsync((applier, store) => Put(applier, store, table, keys, rows, shard), writes: true).WaitAsync(cancellationToken);
        }
    }

    private static bool Put(ChangeApplier applier, IShardStore store, TableSchema table, byte[][] keys, ChunkRows rows, ulong shard)
    {
        if (!applier.IsLive(table.Id) && !applier.IsSuspect(table.Id)) return false; // started over meanwhile: all of it comes anew
        foreach (var key in keys) store.Delete(table, key);
        var number = 0;
        foreach (var buffer in rows.Buffers)
        {
            for (var rest = buffer.Written; !rest.IsEmpty; number++)
            {
                var size = RowCells.SizeOf(rest, table.Columns.Length);
                var row = rest[..size];
                rest = rest[size..];
                if (rows.Places.Count == 0 || (rows.Places[number] & shard) != 0) store.Insert(table, ref row);
            }
        }
        foreach (var column in rows.KeptAsText) applier.MarkPrimaryOnly(table, column);
        return true;
    }

    [LoggerMessage(5311, LogLevel.Warning, "{Keys} rows of {Table} were unlike the primary's and were read again")]
    private partial void LogMended(int keys, string table);

    [LoggerMessage(5312, LogLevel.Warning, "Rows of {Table} could not be read again while the shards stood still; trying again")]
    private partial void LogTooLong(string table);
}
