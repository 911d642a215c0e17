using DbSync.Tests.Pipeline;
using DbSync.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace DbSync.Tests.Copying;

public sealed class CopyCoordinatorTests
{
    private static readonly TableSchema Table = TestTable.Create("t", oid: 1);
    private static readonly CopyOptions Options = new() { RetryDelay = TimeSpan.FromMilliseconds(1) };

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>It is on a thread of its own, which is not waited for: what it marks then would hold the stream up for ever.</summary>
    [Fact]
    public async Task A_reader_that_begins_after_it_was_given_up_holds_nothing_back()
    {
        using var worker = Worker(new FakeShardStore("s0"), Pool());
        worker.Applier.Start(Table);
        worker.Start();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Func<Task<SnapshotDemand>>? begin = null;
        using var coordinator = Coordinator([worker], async locked =>
        {
            begin = locked;
            await stop.CancelAsync();
            throw new OperationCanceledException(stop.Token);
        });
        await Should.ThrowAsync<OperationCanceledException>(() => coordinator.RunAsync(stop.Token).WaitAsync(Patience, Cancel));

        await Should.ThrowAsync<OperationCanceledException>(() => begin!().WaitAsync(Patience, Cancel));
        (await worker.AskAsync(applier => applier.CopyOf(Table.Id)!.Judge(TestTable.Row(1), 5))).ShouldBe(ChunkJudgement.Drop);
        await worker.StopAsync();
    }

    /// <summary>One of two shards that commit together stands at the change for the sake of the chunk; the other one's commit can't come before.</summary>
    [Fact]
    public async Task A_chunk_that_finds_its_table_changed_holds_up_no_shard_that_commits_with_another()
    {
        var pool = Pool();
        var (other, reached) = (TestTable.Create("other", oid: 2), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var store = new FakeShardStore("s1") { OnInsert = reached.SetResult };
        store.Tables.Add(new TableRecord(other, TableState.Live, Planned: true, Lsn.Zero));
        ShardWorker first = Worker(new FakeShardStore("s0"), pool), second = Worker(store, pool);
        using (first)
        using (second)
        {
            var gate = new CommitGate([first, second], pool);
            foreach (var worker in new[] { first, second })
            {
                worker.Applier.Start(Table);
                worker.Start();
            }
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var attempts = 0;
            using var coordinator = Coordinator([first, second], async locked =>
            {
                await locked();
                if (++attempts > 1)
                {
                    await stop.CancelAsync();
                    throw new OperationCanceledException(stop.Token);
                }
                gate.BeginQueueing();
                first.Queue.Enqueue(Part(part => { }), Cancel);
                second.Queue.Enqueue(Part(part =>
                {
                    part.Add(ChangeKind.Insert, other, TestTable.Row(1, "v"));
                    part.Add(ChangeKind.Truncate, Table);
                }), Cancel);
                gate.EndQueueing(ends: true);
                await reached.Task.WaitAsync(Patience, Cancel); // the next change waits for this chunk
                await Eventually.Async(() => first.Queue.IsIdle, cancellationToken: Cancel); // applied, and not committed
                throw new ChunkNotReadyException("t has changed its shape", TestTable.Create("t", columns: 3, oid: 1));
            });
            await Should.ThrowAsync<OperationCanceledException>(() => coordinator.RunAsync(stop.Token).WaitAsync(Patience, Cancel));
            attempts.ShouldBe(2);
            await Eventually.Async(() => (first.Applied, second.Applied) == (new Lsn(100), new Lsn(100)), cancellationToken: Cancel);
            await Task.WhenAll(first.StopAsync(), second.StopAsync());
        }
    }

    /// <summary>The log renames the table while its chunks are being planned; on the primary it has its old name again by then.</summary>
    [Fact]
    public async Task A_plan_for_a_table_that_was_renamed_meanwhile_reads_nothing() => await ShouldBeginRenamedAsync(
        whilePlanned: (worker, renamed) => worker.InvokeAsync((applier, _) => applier.Start(renamed), writes: true));

    /// <summary>The table is renamed by the log between its plan and the reading of its chunk.</summary>
    [Fact]
    public async Task A_chunk_of_a_table_that_was_renamed_and_planned_again_begins_under_its_new_name() => await ShouldBeginRenamedAsync(
        beforeRead: (worker, renamed) => worker.InvokeAsync(
            (applier, _) =>
            {
                applier.Replan(applier.Start(renamed), [new ChunkRecord(0, null, null, null, 0)]);
                return true;
            },
            writes: true));

    /// <summary>Copies a table that becomes another one at some moment; only the other one's chunk may begin.</summary>
    private static async Task ShouldBeginRenamedAsync(Func<ShardWorker, TableSchema, Task>? whilePlanned = null, Func<ShardWorker, TableSchema, Task>? beforeRead = null)
    {
        var renamed = TestTable.Create("u", oid: 1);
        using var worker = Worker(new FakeShardStore("s0"), Pool());
        worker.Applier.Start(Table);
        worker.Start();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var begun = new List<string>();
        Task OfOld(Func<ShardWorker, TableSchema, Task>? action, TableSchema table) => action is null || table.Name != Table.Name ? Task.CompletedTask : action(worker, renamed);
        async Task ReadAsync(TableSchema table, Func<Task<SnapshotDemand>> locked)
        {
            await OfOld(beforeRead, table);
            await locked();
            begun.Add(table.Name);
            await stop.CancelAsync();
            throw new OperationCanceledException(stop.Token);
        }
        using var coordinator = new CopyCoordinator(
            new OneChunk(ReadAsync, table => OfOld(whilePlanned, table)), [worker], new EverywherePlacement(), () => { }, Options, TimeProvider.System,
            NullLogger<CopyCoordinator>.Instance);
        await Should.ThrowAsync<OperationCanceledException>(() => coordinator.RunAsync(stop.Token).WaitAsync(Patience, Cancel));
        begun.ShouldBe([renamed.Name]);
        await worker.StopAsync();
    }

    private static TransactionPart Part(Action<TransactionPart> fill)
    {
        var part = new TransactionPart(64) { Xid = 8, CommitLsn = new Lsn(90), EndLsn = new Lsn(100), Begins = true, Ends = true };
        fill(part);
        return part;
    }

    private static PartPool Pool() => new(256, 1000, 1 << 20);

    private static ShardWorker Worker(FakeShardStore store, PartPool pool) =>
        new(store, new PipelineOptions(), pool, new DelayMeter(TimeProvider.System), TimeProvider.System);

    private static CopyCoordinator Coordinator(IReadOnlyList<ShardWorker> shards, Func<Func<Task<SnapshotDemand>>, Task> read) =>
        new(new OneChunk((_, locked) => read(locked)), shards, new EverywherePlacement(), () => { }, Options, TimeProvider.System, NullLogger<CopyCoordinator>.Instance);

    /// <summary>A primary whose tables are one chunk each, which can't be read.</summary>
    private sealed class OneChunk(Func<TableSchema, Func<Task<SnapshotDemand>>, Task> read, Func<TableSchema, Task>? plan = null) : ICopySource
    {
        public async Task<IReadOnlyList<ChunkBound>> PlanAsync(TableSchema table, long chunkBytes, CancellationToken cancellationToken)
        {
            if (plan is not null) await plan(table);
            return [];
        }

        public Task<ulong> NextTransactionAsync(CancellationToken cancellationToken) => Task.FromResult(1UL);

        public async Task<TransactionSnapshot> ReadChunkAsync(
            TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows, CancellationToken cancellationToken)
        {
            await read(table, locked);
            throw new InvalidOperationException("No rows are here.");
        }

        public Task<TransactionSnapshot> SnapshotAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("The catalog is not looked at.");

        public Task<Lsn> InsertPositionAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("Nothing is complete.");

        public Task<int[]> FindChunksAsync(TableSchema table, IReadOnlyList<ChunkBound> bounds, IReadOnlyList<byte[]> keys, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("There is one chunk.");

        public Task<RowNow> ReadRowAsync(TableSchema table, byte[] key, ulong seen, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("No row is read by itself.");

        public Task ReadRowsAsync(TableSchema table, IReadOnlyList<byte[]> keys, ISharedSnapshot snapshot, ChunkRows rows, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("Nothing is repaired.");
    }
}
