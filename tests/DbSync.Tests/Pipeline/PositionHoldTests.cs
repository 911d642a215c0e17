using System.Collections.Concurrent;
using CsCheck;
using DbSync.Testing;

namespace DbSync.Tests.Pipeline;

/// <summary>
/// A model of the primary: transactions in log order, some of them visible to a snapshot. The hold must stop exactly where the log equals
/// the snapshot, or say that it does so nowhere; and it must never change, lose or double what passes.
/// </summary>
public sealed class PositionHoldTests
{
    private const ulong FirstXid = 0xFFFF_FFF8; // near the turn of an epoch
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    private static readonly Gen<Plan> AnyPlan =
        from count in Gen.Int[1, 12]
        from pieces in Gen.Int[1, 3].Array[count]
        from order in Gen.Shuffle(Enumerable.Range(0, count).ToArray())
        from logged in Gen.Int[0, count]
        from hidden in Gen.Frequency((3, Gen.Const(0)), (2, Gen.Int[1, 3]))
        from hiddenAt in Gen.Int[0, 11].Array[hidden]
        from tail in Gen.Int[0, count]
        from passed in Gen.Int[0, logged]
        from positions in Gen.Bool.Array[count + 1]
        select new Plan(pieces, order, logged, [.. Enumerable.Range(0, logged - Math.Min(tail, logged - Math.Min(passed, logged))).Where(t => !hiddenAt.Contains(t))], passed, positions);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public Task The_hold_stops_where_the_log_equals_the_snapshot_and_nowhere_else() =>
        AnyPlan.SampleAsync(CheckAsync, iter: Effort.Cases(150), threads: 2);

    [Fact]
    public async Task A_stream_that_breaks_ends_the_hold_without_a_position()
    {
        using var flow = new Flow(new PositionHold());
        flow.Hold.Freeze();
        var held = flow.Hold.HoldAsync(new TransactionSnapshot(5, 5, []), new Lsn(1000));
        flow.Hold.Reset();
        (await held.WaitAsync(Soon, Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task Where_nothing_has_passed_yet_the_position_is_where_the_stream_began()
    {
        using var flow = new Flow(new PositionHold());
        flow.Hold.StartAt(new Lsn(77));
        flow.Hold.Freeze();
        var held = flow.Hold.HoldAsync(new TransactionSnapshot(5, 5, []), new Lsn(90));
        flow.Feed(Part(9, 100, begins: true, ends: true));
        (await held.WaitAsync(Soon, Cancel)).ShouldBe(new Lsn(77));
        flow.Taken.ShouldBeEmpty();
        flow.Hold.Release();
        await flow.UntilTakenAsync(1);
    }

    [Fact]
    public async Task What_passed_before_a_reconnect_still_counts_as_passed()
    {
        using var flow = new Flow(new PositionHold());
        flow.Feed(Part(8, 50, begins: true, ends: true)); // applied, but it waits for a standby: not visible on the primary
        await flow.UntilTakenAsync(1);
        flow.Hold.Reset();
        flow.Hold.StartAt(new Lsn(51));
        flow.Hold.Freeze();
        var held = flow.Hold.HoldAsync(new TransactionSnapshot(8, 9, [8]), new Lsn(60));
        flow.Feed(Part(0, 100, begins: true, ends: true));
        (await held.WaitAsync(Soon, Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task One_hold_after_another_lets_everything_pass_once_and_in_order()
    {
        using var flow = new Flow(new PositionHold());
        for (var round = 0; round < 200; round++)
        {
            flow.Hold.Freeze();
            var start = (uint)round * 3 + 10;
            var held = flow.Hold.HoldAsync(new TransactionSnapshot(start + 1, start + 1, []), new Lsn(start * 10));
            for (var xid = start; xid < start + 3; xid++) flow.Feed(Part(xid, xid * 10, begins: true, ends: true));
            (await held.WaitAsync(Soon, Cancel)).ShouldBe(new Lsn(start * 10 + 1));
            flow.Taken.Last().Xid.ShouldBe(start);
            flow.Hold.Release();
        }
        await flow.UntilTakenAsync(600);
        flow.Taken.Select(p => p.Xid).ShouldBe(Enumerable.Range(10, 600).Select(x => (uint)x));
    }

    private static async Task CheckAsync(Plan plan)
    {
        using var flow = new Flow(new PositionHold());
        var log = plan.Parts();
        var before = log.TakeWhile(p => plan.IndexOf(p) < plan.Passed).Count();
        foreach (var part in log.Take(before)) flow.Feed(part);
        await flow.UntilTakenAsync(before);

        flow.Hold.Freeze();
        var holding = flow.Hold.HoldAsync(plan.Snapshot, plan.InsertedUpTo);
        foreach (var part in log.Skip(before)) flow.Feed(part);
        var held = await holding.WaitAsync(Soon, Cancel);
        var shown = flow.Taken.Where(p => p is { Ends: true, Xid: not 0 }).Select(plan.IndexOf).ToList();
        var prefix = plan.Visible.SequenceEqual(Enumerable.Range(0, plan.Visible.Length)) && plan.Visible.Length >= plan.Passed;
        (held is not null).ShouldBe(prefix);
        if (held is { } position)
        {
            shown.ShouldBe(plan.Visible);
            flow.Taken.All(p => p.Xid == 0 || plan.Visible.Contains(plan.IndexOf(p))).ShouldBeTrue();
            (position >= plan.EndOf(plan.Visible.Length - 1)).ShouldBeTrue();
            (position < plan.EndOf(plan.Visible.Length)).ShouldBeTrue();
        }
        flow.Hold.Release();
        await flow.UntilTakenAsync(log.Count);
        flow.Taken.ShouldBe(log);
    }

    private static TransactionPart Part(uint xid, ulong commit, bool begins, bool ends) =>
        new(16) { Xid = xid, CommitLsn = new Lsn(commit), EndLsn = new Lsn(xid == 0 ? commit : commit + 1), Begins = begins, Ends = ends };

    /// <param name="Pieces">The parts of each transaction, in log order.</param>
    /// <param name="Order">The order in which the transactions got their ids.</param>
    /// <param name="Logged">How many were in the log when the snapshot was taken.</param>
    /// <param name="Visible">Which of those the snapshot sees.</param>
    /// <param name="Passed">How many had gone by before.</param>
    /// <param name="Positions">Whether a mere position goes before each.</param>
    private sealed record Plan(int[] Pieces, int[] Order, int Logged, int[] Visible, int Passed, bool[] Positions)
    {
        // The ids 0, 1 and 2 of every epoch are PostgreSQL's own.
        public ulong XidOf(int transaction) => FirstXid + (ulong)Order[transaction] is var xid and < 1UL << 32 ? xid : FirstXid + (ulong)Order[transaction] + 3;

        public Lsn EndOf(int transaction) => transaction < 0 ? Lsn.Zero : transaction >= Pieces.Length ? new Lsn(ulong.MaxValue) : new Lsn((ulong)(transaction + 1) * 100 + 1);

        public Lsn InsertedUpTo => Logged == 0 ? new Lsn(10) : new Lsn(EndOf(Logged - 1).Value + 5);

        public int IndexOf(TransactionPart part) => part.Xid == 0 ? (int)(part.EndLsn.Value / 100) : (int)(part.CommitLsn.Value / 100) - 1;

        public TransactionSnapshot Snapshot
        {
            get
            {
                var xmax = Visible.Length == 0 ? FirstXid : Visible.Max(XidOf) + 1;
                var running = Enumerable.Range(0, Pieces.Length).Where(t => !Visible.Contains(t)).Select(XidOf).Where(x => x < xmax).Order().ToArray();
                return new TransactionSnapshot(running.Length == 0 ? xmax : running[0], xmax, [.. running]);
            }
        }

        public List<TransactionPart> Parts()
        {
            var parts = new List<TransactionPart>();
            for (var t = 0; t < Pieces.Length; t++)
            {
                if (Positions[t]) parts.Add(Part(0, (ulong)(t + 1) * 100 - 20, begins: true, ends: true));
                for (var piece = 1; piece <= Pieces[t]; piece++)
                    parts.Add(Part((uint)XidOf(t), (ulong)(t + 1) * 100, piece == 1, piece == Pieces[t]));
            }
            parts.Add(Part(0, (ulong)Pieces.Length * 100 + 60, begins: true, ends: true));
            return parts;
        }
    }

    /// <summary>The stream's thread: passes what it is fed, and takes what it may.</summary>
    private sealed class Flow : IDisposable
    {
        private readonly BlockingCollection<TransactionPart> _fed = [];
        private readonly CancellationTokenSource _stop = new();
        private readonly List<TransactionPart> _taken = [];
        private readonly Task _thread;

        public Flow(PositionHold hold)
        {
            Hold = hold;
            _thread = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        public PositionHold Hold { get; }

        public List<TransactionPart> Taken
        {
            get
            {
                lock (_taken) return [.. _taken];
            }
        }

        public void Feed(TransactionPart part) => _fed.Add(part);

        public Task UntilTakenAsync(int count) => Eventually.Async(
            () => _thread.IsCompleted || Taken.Count >= count, Soon, () => $"{Taken.Count} of {count} taken", Cancel);

        public void Dispose()
        {
            _stop.Cancel();
            _ = _thread.ContinueWith(_ => Hold.Dispose(), TaskScheduler.Default);
        }

        private void Run()
        {
            try
            {
                foreach (var part in _fed.GetConsumingEnumerable(_stop.Token))
                {
                    Hold.Pass(part);
                    while (Hold.TryTake(out var ready, _stop.Token))
                        lock (_taken) _taken.Add(ready);
                }
            }
            catch (OperationCanceledException)
            {
                // The test is over.
            }
        }
    }
}
