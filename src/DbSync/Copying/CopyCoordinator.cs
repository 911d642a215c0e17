using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// Brings the tables that a shard has not got yet: plans their chunks, reads the chunks side by side, hands each to the shards while
/// the stream goes on, and declares a table complete at the position that its last snapshot may have seen.
/// </summary>
internal sealed partial class CopyCoordinator(
    ICopySource source,
    IReadOnlyList<ShardWorker> shards,
    IRowPlacement placement,
    Action requestPosition,
    CopyOptions options,
    TimeProvider time,
    ILogger<CopyCoordinator> logger) : IDisposable
{
    private readonly CopyRetries _retries = new(options, time);
    private readonly CopyPace _pace = new(options.BytesPerSecondMax, time);
    private volatile string? _waiting;

    /// <summary>What the copy waits for, for people; null when it doesn't.</summary>
    public string? Waiting => _retries.Failure?.Message ?? _waiting;

    /// <summary>Why a table can't be copied now; null when none is in this way.</summary>
    public DbSyncException? Failure => _retries.Failure;

    /// <summary>How fast each table is copied.</summary>
    public CopyMeter Meter { get; } = new(time);

    public long RowsCopied => Interlocked.Read(ref _rowsCopied);

    public long ChunksRead => Interlocked.Read(ref _chunksRead);

    private readonly SemaphoreSlim _held = new(options.ChunksHeldMax);
    private readonly SemaphoreSlim _reading = new(options.Parallelism);
    private readonly ConcurrentBag<ChunkRows> _spare = [];
    private long _rowsCopied;
    private long _chunksRead;

    /// <summary>Copies whatever is missing, for as long as the node runs: tables may be started over at any time.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var missing = await MissingAsync(cancellationToken);
                _retries.KeepOnly(missing);
                if (missing.Count == 0) _waiting = null;
                var due = missing.FindAll(t => _retries.IsDue(t.Id));
                if (due.Count > 0)
                {
                    // Whatever ran until now must have ended before a snapshot counts: it may be in the log already and not be visible yet.
                    var horizon = await source.NextTransactionAsync(cancellationToken);
                    await CopyTogetherAsync(due, horizon, cancellationToken);
                    _waiting = null;
                    continue;
                }
            }
            catch (DbSyncException exception) when (ErrorCodes.IsPassing(exception.Code))
            {
                _waiting = exception.Message;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // A shard rolled back what it was given because its stream broke: look again at what is missing.
                if (shards.Any(s => s.Stopped.IsCompleted)) return;
            }
            await Task.Delay(options.RetryDelay, time, cancellationToken);
        }
    }

    public void Dispose()
    {
        _reading.Dispose();
        _held.Dispose();
    }

    /// <summary>The tables that some shard still lacks, by the shape that its file has now.</summary>
    private async Task<List<TableSchema>> MissingAsync(CancellationToken cancellationToken)
    {
        var missing = new Dictionary<TableId, TableSchema>();
        foreach (var shard in shards)
        {
            var copies = await shard.InvokeAsync(
                (applier, _) => applier.Copies.Where(c => c.Record.State == TableState.Copying).Select(c => c.Record.Schema).ToList(), writes: false);
            foreach (var table in copies) missing.TryAdd(table.Id, table);
        }
        cancellationToken.ThrowIfCancellationRequested();
        return [.. missing.Values];
    }

    /// <summary>Several at a time: a small table takes a few round trips, during which another can be read.</summary>
    private Task CopyTogetherAsync(List<TableSchema> tables, ulong horizon, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        tables,
        new ParallelOptions { MaxDegreeOfParallelism = options.ChunksHeldMax, CancellationToken = cancellationToken },
        async (table, cancelled) => await TryCopyAsync(table, horizon, cancelled));

    /// <summary>Copies a table; one that the primary refuses to give is tried again later, and keeps no other waiting.</summary>
    private async Task TryCopyAsync(TableSchema table, ulong horizon, CancellationToken cancellationToken)
    {
        try
        {
            await CopyAsync(table, horizon, cancellationToken);
            _retries.Succeeded(table.Id);
        }
        catch (UnstorableValueException exception)
        {
            foreach (var shard in shards)
            {
                await shard.InvokeAsync(
                    (applier, store) =>
                    {
                        applier.Quarantine(table.Id, exception.Column, store.Position, exception.Reason);
                        return true;
                    },
                    writes: true);
            }
            LogSetAside(table.ReplicaName, exception.Message);
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfPrimary(exception.Code))
        {
            if (_retries.Failed(table.Id, exception)) LogRetry(table.ToString(), exception.Message);
        }
    }

    private async Task CopyAsync(TableSchema table, ulong horizon, CancellationToken cancellationToken)
    {
        var chunks = await PlanAsync(table, cancellationToken);
        if (chunks is null) return;
        var todo = Channel.CreateUnbounded<ChunkRecord>();
        foreach (var chunk in chunks) todo.Writer.TryWrite(chunk);
        todo.Writer.Complete();
        using var abandon = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var readers = Enumerable.Range(0, Math.Min(options.ChunksHeldMax, Math.Max(1, chunks.Count))).Select(async _ =>
        {
            try
            {
                while (todo.Reader.TryRead(out var chunk))
                    while (!await ReadAsync(table, chunk, horizon, abandon.Token))
                        await Task.Delay(options.RetryDelay, time, abandon.Token);
            }
            catch
            {
                await abandon.CancelAsync();
                throw;
            }
        });
        try
        {
            await Task.WhenAll(readers);
        }
        catch (TableRestartedException)
        {
            return;
        }
        await CompleteAsync(table, cancellationToken);
        Meter.End(table);
    }

    /// <summary>Records the chunks in every shard and returns those that some shard lacks; null when the table was started over meanwhile.</summary>
    private async Task<List<ChunkRecord>?> PlanAsync(TableSchema table, CancellationToken cancellationToken)
    {
        IReadOnlyList<ChunkRecord>? plan = null;
        var planned = new List<bool>();
        foreach (var shard in shards)
        {
            var known = await shard.InvokeAsync(
                (applier, _) => CopyOf(applier, table) is { Record.Planned: true } copy ? copy.Chunks.ToList() : null, writes: false);
            planned.Add(known is not null);
            plan ??= known?.ConvertAll(c => c with { Snapshot = null, Rows = 0 });
        }
        plan ??= ToChunks(await source.PlanAsync(table, options.ChunkBytes, cancellationToken));
        var missing = new SortedDictionary<int, ChunkRecord>();
        for (var i = 0; i < shards.Count; i++)
        {
            var isPlanned = planned[i];
            var current = await shards[i].InvokeAsync<List<ChunkRecord>?>(
                (applier, _) =>
                {
                    if (CopyOf(applier, table) is not { } copy) return applier.IsLive(table.Id.Original) ? [] : null; // another shard alone started it over, or copies it beside
                    if (!isPlanned) applier.Replan(copy, plan);
                    return copy.Chunks.ToList();
                },
                writes: true);
            Failpoint.Hit(Failpoint.AfterChunkPlan);
            if (current is null) return null;
            foreach (var chunk in current.Where(c => c.Snapshot is null)) missing[chunk.Number] = chunk;
        }
        if (!table.IsControl) Meter.Begin(table, missing.Count, plan.Count);
        if (!table.IsControl) LogPlanned(table.ToString(), missing.Count, plan.Count);
        return [.. missing.Values];
    }

    /// <summary>
    /// A shard's copy of a table, if it still has the shape that is being read: the log may have started another one since, and the primary may have
    /// changed the table back.
    /// </summary>
    private static TableCopy? CopyOf(ChangeApplier applier, TableSchema table) =>
        applier.CopyOf(table.Id) is { } copy && copy.Record.Schema.StoresLike(table) ? copy : null;

    private static List<ChunkRecord> ToChunks(IReadOnlyList<ChunkBound> bounds)
    {
        var chunks = new List<ChunkRecord>(bounds.Count + 1);
        for (var i = 0; i <= bounds.Count; i++)
            chunks.Add(new ChunkRecord(i, i == 0 ? null : bounds[i - 1], i == bounds.Count ? null : bounds[i], null, 0));
        return chunks;
    }

    /// <summary>Reads one chunk and hands it to the shards; false when it was not ready.</summary>
    private async Task<bool> ReadAsync(TableSchema table, ChunkRecord chunk, ulong horizon, CancellationToken cancellationToken)
    {
        var reading = new ChunkReading(shards, chunk.Number);
        await _held.WaitAsync(cancellationToken);
        if (!_spare.TryTake(out var rows)) rows = new ChunkRows();
        try
        {
            var snapshot = await ReadAsync(table, chunk, () => BeginAsync(table, chunk, horizon, reading), rows, cancellationToken);
            Interlocked.Increment(ref _chunksRead);
            if (!placement.IsWhole && !placement.IsEverywhere(table)) rows.Place(table, placement);
            await DeliverAsync(table, chunk with { Snapshot = snapshot, Rows = rows.Count }, rows, reading.Holders);
            Interlocked.Add(ref _rowsCopied, rows.Count);
            Meter.Read(table, rows.Count);
            var bytes = rows.Buffers.Sum(b => (long)b.Length);
            rows.Clear();
            _spare.Add(rows); // only now: after a failure a shard may still be reading it
            _waiting = null;
            await _pace.SpendAsync(bytes, cancellationToken);
            return true;
        }
        catch (ChunkNotReadyException notReady)
        {
            _waiting = notReady.Message;
            LogNotReady(table.ToString(), chunk.Number, notReady.Message);
            if (notReady is { ChangedTo: null, IsGone: false }) return false;
            reading.End(); // before shards that commit together: one that waits for this chunk would keep the others from it
            await Task.WhenAll(shards.Select(shard => shard.InvokeAsync(
                (applier, _) =>
                {
                    if (notReady.ChangedTo is { } changed) applier.Start(changed);
                    else if (applier.CopyOf(table.Id) is not null) applier.Drop(table.Id);
                    return true;
                },
                writes: true)));
            throw new TableRestartedException();
        }
        finally
        {
            _held.Release();
            reading.End();
        }
    }

    private async Task<TransactionSnapshot> ReadAsync(
        TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows, CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        try
        {
            return await source.ReadChunkAsync(table, chunk, locked, rows, cancellationToken);
        }
        finally
        {
            _reading.Release();
        }
    }

    private async Task<SnapshotDemand> BeginAsync(TableSchema table, ChunkRecord chunk, ulong horizon, ChunkReading reading)
    {
        var dropped = new HashSet<ulong>();
        for (var i = 0; i < shards.Count; i++)
        {
            var shard = i;
            var (copy, isLive, seen) = await shards[i].AskAsync<(TableCopy?, bool, ulong[])>(applier =>
            {
                var copy = CopyOf(applier, table);
                if (copy is null || !copy.Record.Planned || copy.Chunks.Count <= chunk.Number) return (null, applier.IsLive(table.Id.Original), []);
                reading.Begin(shard, copy);
                return (copy, false, copy.Dropped.ToArray());
            });
            if (reading.HasEnded) throw new OperationCanceledException();
            if (copy is null && !isLive) throw new TableRestartedException();
            dropped.UnionWith(seen);
        }
        return new SnapshotDemand(horizon, dropped);
    }

    private async Task DeliverAsync(TableSchema table, ChunkRecord chunk, ChunkRows rows, IReadOnlyList<TableCopy?> holders)
    {
        var deliveries = new List<Task<bool>>();
        for (var i = 0; i < shards.Count; i++)
        {
            var (ordinal, holder) = (i, holders[i]);
            if (holder is null) continue;
            deliveries.Add(shards[i].InvokeAsync(
                (applier, store) =>
                {
                    // The copy that began this chunk may have been started over or read anew after a rollback: then the rows don't count.
                    if (!ReferenceEquals(applier.CopyOf(table.Id), holder)) return false;
                    if (holder!.Chunks[chunk.Number].Snapshot is not null) return true;
                    var count = InsertOrSetAside(applier, store, table, rows, ordinal);
                    var saved = chunk with { Rows = count };
                    store.SaveChunk(table.Id, saved);
                    foreach (var column in rows.KeptAsText) store.MarkPrimaryOnly(table, column);
                    holder.Complete(saved);
                    if (rows.Shape is { } shape) applier.Describe(holder, shape);
                    if (holder.Forget(chunk.Snapshot!.Xmin) > 0) store.ForgetDroppedTransactions(table.Id, chunk.Snapshot.Xmin);
                    Failpoint.Hit(Failpoint.BeforeChunkCommit);
                    return true;
                },
                writes: true));
        }
        var taken = await Task.WhenAll(deliveries);
        Failpoint.Hit(Failpoint.AfterChunkCommit);
        if (taken.Contains(false)) throw new TableRestartedException();
    }

    /// <summary>A table whose rows are half here must not be committed as one that is being copied.</summary>
    private long InsertOrSetAside(ChangeApplier applier, IShardStore store, TableSchema table, ChunkRows rows, int shard)
    {
        try
        {
            return Insert(store, table, rows, shard);
        }
        catch (UnstorableValueException exception)
        {
            applier.Quarantine(table.Id, exception.Column, store.Position, exception.Reason);
            throw;
        }
    }

    private long Insert(IShardStore store, TableSchema table, ChunkRows rows, int shard)
    {
        var places = rows.Places;
        var at = 0;
        RowFilter? isHere = places.Count == 0 ? null : _ => (places[at++] & (1UL << shard)) != 0;
        var count = 0L;
        foreach (var buffer in rows.Buffers)
        {
            count += store.InsertAll(table, buffer.Written, isHere);
            shards[shard].AnswerQuestions(); // who is about to read the next chunk need not wait for the whole of this one
        }
        return count;
    }

    private async Task CompleteAsync(TableSchema table, CancellationToken cancellationToken)
    {
        var fence = await source.InsertPositionAsync(cancellationToken);
        foreach (var shard in shards)
        {
            await shard.InvokeAsync(
                (applier, store) =>
                {
                    if (applier.CopyOf(table.Id) is not { IsComplete: true, Record.State: TableState.Copying } copy) return false;
                    store.CreateIndexes(copy.Record.Schema);
                    copy.Record = copy.Record with { State = TableState.CatchingUp, ReadableFrom = fence };
                    store.SaveTable(copy.Record);
                    return true;
                },
                writes: true);
            Failpoint.Hit(Failpoint.AfterCopyFence);
        }
        requestPosition(); // on a quiet primary nothing else would soon say that the fence is passed
        if (!table.IsControl) LogCopied(table.ToString(), fence);
    }

    /// <summary>The table was started over while one of its chunks was being read.</summary>
    private sealed class TableRestartedException : Exception;

    [LoggerMessage(5101, LogLevel.Information, "Copying {Table}: {Missing} of {Chunks} chunk(s) to read")]
    private partial void LogPlanned(string table, int missing, int chunks);

    [LoggerMessage(5102, LogLevel.Information, "Copied {Table}; readable from position {Fence}")]
    private partial void LogCopied(string table, Lsn fence);

    [LoggerMessage(5103, LogLevel.Debug, "Chunk {Chunk} of {Table} is not ready: {Reason}")]
    private partial void LogNotReady(string table, int chunk, string reason);

    [LoggerMessage(5105, LogLevel.Error, "{Table} is set aside: {Reason}")]
    private partial void LogSetAside(string table, string reason);

    [LoggerMessage(5104, LogLevel.Warning, "The copy of {Table} pauses: {Reason}")]
    private partial void LogRetry(string table, string reason);
}
