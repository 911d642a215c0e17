using DbSync.Tests.Pipeline;
using DbSync.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace DbSync.Tests.Copying;

public sealed class CopyCoordinatorTests
{
    private static readonly TableSchema Table = TestTable.Create("t", oid: 1);
    private static readonly CopyOptions Options = new() { RetryDelay = TimeSpan.FromMilliseconds(1) };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>It is on a thread of its own, which is not waited for: what it marks then would hold the stream up for ever.</summary>
    [Fact]
    public async Task A_reader_that_begins_after_it_was_given_up_holds_nothing_back()
    {
        using var worker = new ShardWorker(new FakeShardStore("s0"), new PipelineOptions(), new PartPool(256, 1000, 1 << 20), new DelayMeter(TimeProvider.System), TimeProvider.System);
        worker.Applier.Start(Table);
        worker.Start();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var source = new LateSource(stop);
        using var coordinator = new CopyCoordinator(
            source, [worker], new EverywherePlacement(), () => { }, Options, TimeProvider.System, NullLogger<CopyCoordinator>.Instance);
        await Should.ThrowAsync<OperationCanceledException>(() => coordinator.RunAsync(stop.Token).WaitAsync(TimeSpan.FromSeconds(20), Cancel));

        await Should.ThrowAsync<OperationCanceledException>(() => source.BeginLateAsync().WaitAsync(TimeSpan.FromSeconds(20), Cancel));
        (await worker.AskAsync(applier => applier.CopyOf(Table.Id)!.Judge(TestTable.Row(1), 5))).ShouldBe(ChunkJudgement.Drop);
        await worker.StopAsync();
    }

    /// <summary>A primary on which everything is stopped while the first chunk is about to be read.</summary>
    private sealed class LateSource(CancellationTokenSource stop) : ICopySource
    {
        private Func<Task<SnapshotDemand>>? _locked;

        public Task BeginLateAsync() => _locked!();

        public Task<IReadOnlyList<ChunkBound>> PlanAsync(TableSchema table, long chunkBytes, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ChunkBound>>([]);

        public Task<ulong> NextTransactionAsync(CancellationToken cancellationToken) => Task.FromResult(1UL);

        public async Task<TransactionSnapshot> ReadChunkAsync(
            TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows, CancellationToken cancellationToken)
        {
            _locked = locked;
            await stop.CancelAsync();
            throw new OperationCanceledException(cancellationToken);
        }

        public Task<Lsn> InsertPositionAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("Nothing is complete.");

        public Task<int[]> FindChunksAsync(TableSchema table, IReadOnlyList<ChunkBound> bounds, IReadOnlyList<byte[]> keys, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("There is one chunk.");

        public Task<RowNow> ReadRowAsync(TableSchema table, byte[] key, ulong seen, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("No row is read by itself.");

        public Task ReadRowsAsync(TableSchema table, IReadOnlyList<byte[]> keys, ISharedSnapshot snapshot, ChunkRows rows, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("Nothing is repaired.");
    }
}
