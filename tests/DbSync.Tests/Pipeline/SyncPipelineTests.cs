using DbSync.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace DbSync.Tests.Pipeline;

public sealed class SyncPipelineTests
{
    private static readonly TableSchema Table = TestTable.Create("t");

    private static readonly PipelineOptions Options = new()
    {
        BarrierInterval = TimeSpan.FromMilliseconds(1),
        ReconnectDelay = TimeSpan.FromMilliseconds(1),
        ReconnectDelayMax = TimeSpan.FromMilliseconds(5),
        QueuePartsMax = 4,
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_shard_that_fails_ends_the_pipeline_with_its_own_reason()
    {
        for (var run = 0; run < 50; run++)
        {
            using var rig = new Rig(new FakeSource(_ => new FakeStream(Endless)), 2);
            var left = 20;
            rig.Stores[1].OnInsert = () =>
            {
                if (--left == 0) throw new DbSyncException(ErrorCodes.StorageFailed, "The disk is full.");
            };
            var failure = await Should.ThrowAsync<DbSyncException>(() => rig.Pipeline.RunAsync(Cancel).WaitAsync(TimeSpan.FromSeconds(20), Cancel));
            failure.Code.ShouldBe(ErrorCodes.StorageFailed);
            rig.Pipeline.State.ShouldBe(PipelineState.Failed);
        }
    }

    [Fact]
    public async Task Streams_that_break_anywhere_are_continued_with_each_transaction_once_and_in_order()
    {
        var random = new Random(7);
        using var rig = new Rig(new FakeSource(position => new FakeStream(pool => Broken(pool, position, random.Next(1, 60)))), 3);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = rig.Pipeline.RunAsync(stop.Token);
        await Eventually.Async(() => rig.Pipeline is { Reconnects: > 20 } && rig.Pipeline.Applied > new Lsn(5000), cancellationToken: Cancel);
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        foreach (var store in rig.Stores)
            store.Journalled.ShouldBe(Enumerable.Range(1, store.Journalled.Count).Select(n => new Lsn((ulong)n * 10)));
    }

    [Fact]
    public async Task Shards_become_visible_at_the_same_positions_however_fast_each_is()
    {
        using var rig = new Rig(new FakeSource(_ => new FakeStream(Endless)), 3);
        rig.Stores[1].OnInsert = () => Thread.SpinWait(2000);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = rig.Pipeline.RunAsync(stop.Token);
        await Eventually.Async(() => rig.Pipeline.Applied > new Lsn(20_000), cancellationToken: Cancel);
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        var common = rig.Stores.Min(s => s.Visible.Count) - 1; // a stop may come between the parts of a transaction, and ends each where it is
        common.ShouldBeGreaterThan(10);
        foreach (var store in rig.Stores) store.Visible.Take(common).ShouldBe(rig.Stores[0].Visible.Take(common));
    }

    [Fact]
    public async Task Only_what_every_shard_has_synced_is_acknowledged()
    {
        IReadOnlyList<FakeShardStore> stores = [];
        var beyond = new List<Lsn>();
        var last = Lsn.Zero;
        var source = new FakeSource(position => new FakeStream(pool => Broken(pool, position, 500))
        {
            OnAcknowledge = durable =>
            {
                if (stores.Any(s => s.SyncedPosition < durable) || durable < last) beyond.Add(durable);
                last = durable;
            },
        });
        using var rig = new Rig(source, 4);
        stores = rig.Stores;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = rig.Pipeline.RunAsync(stop.Token);
        await Eventually.Async(() => rig.Acknowledge.Acknowledged > new Lsn(20_000), cancellationToken: Cancel);
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        beyond.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_slot_that_somebody_holds_is_waited_for_once_it_was_ours()
    {
        var opened = 0;
        var source = new FakeSource(position => ++opened % 3 == 1
            ? new FakeStream(pool => Broken(pool, position, 5))
            : throw new DbSyncException(opened % 3 == 2 ? ErrorCodes.PrimaryUnreachable : ErrorCodes.SlotInUse, "Not now."));
        using var rig = new Rig(source, 1, Options with { SlotWaitMax = TimeSpan.Zero });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = rig.Pipeline.RunAsync(stop.Token);
        await Eventually.Async(() => running.IsCompleted || opened > 20, cancellationToken: Cancel);
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
    }

    [Fact]
    public async Task An_idle_shard_takes_a_transaction_from_the_thread_that_read_it()
    {
        var straight = 0;
        Rig? built = null;
        IEnumerable<TransactionPart> OneByOne(PartPool pool, Lsn after)
        {
            foreach (var part in Broken(pool, after, 300))
            {
                var (end, ends) = (part.EndLsn, part.Ends);
                yield return part;
                if (ends) SpinWait.SpinUntil(() => built!.Pipeline.Applied >= end, TimeSpan.FromSeconds(20)).ShouldBeTrue();
            }
        }
        using var rig = built = new Rig(new FakeSource(position => new FakeStream(pool => OneByOne(pool, position))), 1);
        rig.Stores[0].OnInsert = () => straight += Thread.CurrentThread.Name == "dbsync stream" ? 1 : 0;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = rig.Pipeline.RunAsync(stop.Token);
        await Eventually.Async(() => rig.Pipeline.Applied > new Lsn(4000), cancellationToken: Cancel);
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        straight.ShouldBeGreaterThan(20); // those that come while the shard makes a position durable are queued
        rig.Stores[0].Journalled.ShouldBe(Enumerable.Range(1, rig.Stores[0].Journalled.Count).Select(n => new Lsn((ulong)n * 10)));
        rig.Stores[0].SyncedPosition.ShouldBe(rig.Stores[0].Position);
    }

    [Fact]
    public async Task A_gap_is_not_tried_again()
    {
        using var rig = new Rig(new FakeSource(_ => throw new DbSyncException(ErrorCodes.SlotAhead, "A gap.")), 1);
        (await Should.ThrowAsync<DbSyncException>(() => rig.Pipeline.RunAsync(Cancel))).Code.ShouldBe(ErrorCodes.SlotAhead);
    }

    private static IEnumerable<TransactionPart> Endless(PartPool pool) => Broken(pool, Lsn.Zero, int.MaxValue);

    /// <summary>Transactions that end at 10, 20, ...; some in two parts; the stream ends after so many parts, perhaps inside one.</summary>
    private static IEnumerable<TransactionPart> Broken(PartPool pool, Lsn after, int parts)
    {
        for (var end = after.Value + 10; parts > 0; end += 10)
        {
            var pieces = end % 30 == 0 ? 2 : 1;
            for (var piece = 1; piece <= pieces && parts > 0; piece++, parts--)
            {
                var part = pool.Rent();
                (part.Xid, part.CommitLsn, part.EndLsn) = ((uint)end / 10, new Lsn(end - 1), new Lsn(end));
                (part.Begins, part.Ends) = (piece == 1, piece == pieces);
                part.Add(ChangeKind.Insert, Table, TestTable.Row((long)end, "x"));
                yield return part;
            }
        }
    }

    private sealed class Rig : IDisposable
    {
        private readonly List<ShardWorker> _workers;
        private readonly PositionHold _hold = new();

        public Rig(IChangeSource source, int shards, PipelineOptions? options = null)
        {
            options ??= Options;
            var pool = new PartPool(256, 1000, 1 << 20);
            Stores = [.. Enumerable.Range(0, shards).Select(i => new FakeShardStore($"s{i}"))];
            foreach (var store in Stores) store.Tables.Add(new TableRecord(Table, TableState.Live, Planned: true, Lsn.Zero));
            _workers = [.. Stores.Select(s => new ShardWorker(s, options, pool, new DelayMeter(TimeProvider.System), TimeProvider.System))];
            Acknowledge = new AcknowledgeTracker(_workers);
            var gate = shards > 1 ? new CommitGate(_workers, pool) : null;
            foreach (var worker in _workers)
            {
                worker.BarrierPassed = _ => Acknowledge.Advance();
                worker.Start();
            }
            Pipeline = new SyncPipeline(
                source, _workers, new PartRouter(shards, new EverywherePlacement(), pool, () => { }), pool, Acknowledge, _hold, gate,
                new LayoutFeed("main", new CurrentPlacement(), [.. _workers.Select(w => w.Id)]), new DelayMeter(TimeProvider.System), () => { }, options,
                TimeProvider.System, NullLogger<SyncPipeline>.Instance);
        }

        public List<FakeShardStore> Stores { get; }

        public SyncPipeline Pipeline { get; }

        public AcknowledgeTracker Acknowledge { get; }

        public void Dispose()
        {
            foreach (var worker in _workers) _ = worker.StopAsync().ContinueWith(_ => worker.Dispose(), TaskScheduler.Default);
            _hold.Dispose();
        }
    }
}
