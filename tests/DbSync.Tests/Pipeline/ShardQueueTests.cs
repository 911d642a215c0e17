using System.Diagnostics;
using DbSync.Testing;

namespace DbSync.Tests.Pipeline;

public sealed class ShardQueueTests
{
    private static readonly TableSchema Table = TestTable.Create("t");
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Commands_go_before_parts()
    {
        using var queue = new ShardQueue(1000, 10);
        var (part, command) = (Part(1), new ShardCommand(() => { }, () => { }));
        queue.Enqueue(part, Cancel);
        queue.Post(command).ShouldBeTrue();
        queue.Take(TimeSpan.Zero, commandsOnly: false, out var first, out _).ShouldBeTrue();
        first.ShouldBeSameAs(command);
        queue.Take(TimeSpan.Zero, commandsOnly: true, out _, out _).ShouldBeFalse();
        queue.Take(TimeSpan.Zero, commandsOnly: false, out var none, out var second).ShouldBeTrue();
        none.ShouldBeNull();
        second.ShouldBeSameAs(part);
        queue.Take(TimeSpan.FromMilliseconds(1), commandsOnly: false, out _, out _).ShouldBeFalse();
    }

    [Fact]
    public async Task A_writer_waits_while_the_queue_is_full_in_number()
    {
        using var queue = new ShardQueue(long.MaxValue, 2);
        queue.Enqueue(Part(1), Cancel);
        queue.Enqueue(Part(2), Cancel);
        var third = Task.Run(() => queue.Enqueue(Part(3), Cancel), Cancel);
        queue.Take(TimeSpan.Zero, commandsOnly: false, out _, out var first).ShouldBeTrue();
        await third.WaitAsync(Soon, Cancel);
        first!.Xid.ShouldBe(1u);
    }

    [Fact]
    public async Task A_writer_waits_while_the_queue_is_full_in_bytes_but_one_giant_always_fits()
    {
        using var queue = new ShardQueue(100, 100);
        queue.Enqueue(Part(1, bytes: 5000), Cancel);
        var second = Task.Run(() => queue.Enqueue(Part(2), Cancel), Cancel);
        second.IsCompleted.ShouldBeFalse();
        queue.Take(TimeSpan.Zero, commandsOnly: false, out _, out _).ShouldBeTrue();
        await second.WaitAsync(Soon, Cancel);
    }

    [Fact]
    public async Task Closing_lets_a_waiting_writer_go_and_cancels_commands()
    {
        using var queue = new ShardQueue(1000, 1);
        queue.Enqueue(Part(1), Cancel);
        var cancelled = false;
        queue.Post(new ShardCommand(() => { }, () => cancelled = true));
        var writer = Task.Run(() => queue.Enqueue(Part(2), Cancel), Cancel);
        queue.Close();
        await Should.ThrowAsync<OperationCanceledException>(() => writer.WaitAsync(Soon, Cancel));
        cancelled.ShouldBeTrue();
        queue.Post(new ShardCommand(() => { }, () => { })).ShouldBeFalse();
        Should.Throw<OperationCanceledException>(() => queue.Enqueue(Part(3), Cancel));
    }

    [Fact]
    public async Task Clearing_lets_a_waiting_writer_go_on()
    {
        using var queue = new ShardQueue(1000, 1);
        queue.Enqueue(Part(1), Cancel);
        var writer = Task.Run(() => queue.Enqueue(Part(2), Cancel), Cancel);
        await Eventually.Async(() =>
        {
            queue.Clear(new PartPool(16, 10, 1000));
            return writer.IsCompleted;
        }, cancellationToken: Cancel);
        queue.Clear(new PartPool(16, 10, 1000));
        queue.Enqueue(Part(3), Cancel);
        queue.Take(TimeSpan.Zero, commandsOnly: false, out _, out var part).ShouldBeTrue();
        part!.Xid.ShouldBe(3u);
    }

    [Fact]
    public async Task A_cancelled_writer_leaves_nothing_behind()
    {
        using var queue = new ShardQueue(1000, 1);
        queue.Enqueue(Part(1), Cancel);
        using var impatient = new CancellationTokenSource();
        var writer = Task.Run(() => queue.Enqueue(Part(2), impatient.Token), Cancel);
        await impatient.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => writer.WaitAsync(Soon, Cancel));
        queue.Take(TimeSpan.Zero, commandsOnly: false, out _, out _).ShouldBeTrue();
        queue.Enqueue(Part(3), Cancel);
        var fourth = Task.Run(() => queue.Enqueue(Part(4), Cancel), Cancel);
        queue.Take(TimeSpan.Zero, commandsOnly: false, out _, out var third).ShouldBeTrue();
        third!.Xid.ShouldBe(3u);
        await fourth.WaitAsync(Soon, Cancel);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(64)]
    public async Task Nothing_is_lost_or_stuck_while_writer_posters_and_reader_race(int partsMax)
    {
        const uint Parts = 3_000;
        const int Commands = 500, Posters = 3;
        using var queue = new ShardQueue(50_000, partsMax);
        var executed = 0;
        var writer = Task.Run(
            () =>
            {
                for (var xid = 1u; xid <= Parts; xid++) queue.Enqueue(Part(xid), Cancel);
            }, Cancel);
        var posters = Enumerable.Range(0, Posters).Select(_ => Task.Run(
            () =>
            {
                for (var i = 0; i < Commands; i++) queue.Post(new ShardCommand(() => executed++, () => { })).ShouldBeTrue();
            }, Cancel)).ToList();
        var reader = Task.Run(
            () =>
            {
                var random = new Random(1);
                var (next, clock) = (1u, Stopwatch.StartNew());
                while (next <= Parts || executed < Posters * Commands)
                {
                    clock.Elapsed.ShouldBeLessThan(Soon);
                    var patience = random.Next(3) == 0 ? TimeSpan.Zero : TimeSpan.FromMilliseconds(random.Next(1, 3));
                    if (!queue.Take(patience, commandsOnly: random.Next(16) == 0, out var command, out var part)) continue;
                    command?.Run();
                    if (part is not null) part.Xid.ShouldBe(next++);
                }
            }, Cancel);
        await Task.WhenAll([writer, reader, .. posters]).WaitAsync(Soon, Cancel);
    }

    [Fact]
    public async Task A_reader_without_a_timeout_is_woken_by_every_part()
    {
        const uint Parts = 10_000;
        using var queue = new ShardQueue(1000, 4);
        var reader = Task.Run(
            () =>
            {
                for (var xid = 1u; xid <= Parts; xid++)
                {
                    queue.Take(Timeout.InfiniteTimeSpan, commandsOnly: false, out _, out var part).ShouldBeTrue();
                    part!.Xid.ShouldBe(xid);
                }
            }, Cancel);
        for (var xid = 1u; xid <= Parts; xid++) queue.Enqueue(Part(xid), Cancel);
        await reader.WaitAsync(Soon, Cancel);
    }

    private static TransactionPart Part(uint xid, int bytes = 10)
    {
        var part = new TransactionPart(bytes + 32) { Xid = xid, Begins = true, Ends = true };
        part.Add(ChangeKind.Insert, Table, TestTable.Row(1, new string('x', bytes)));
        return part;
    }
}
