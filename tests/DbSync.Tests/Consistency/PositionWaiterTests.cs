using CsCheck;

namespace DbSync.Tests.Consistency;

public sealed class PositionWaiterTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Exactly_those_whose_position_is_applied_are_let_go() =>
        Gen.Select(Gen.ULong[1, 100].List[0, 30], Gen.ULong[0, 110].List[0, 5]).Sample((wanted, steps) =>
        {
            var waiter = new PositionWaiter();
            var waits = wanted.ConvertAll(w => (Position: w, Wait: waiter.WaitAsync(new Lsn(w), Cancel)));
            var applied = 0UL;
            foreach (var step in steps)
            {
                waiter.Advance(new Lsn(step));
                applied = Math.Max(applied, step);
                foreach (var (position, wait) in waits) wait.IsCompletedSuccessfully.ShouldBe(position <= applied);
            }
            waiter.Count.ShouldBe(wanted.Count(w => w > applied));
        });

    [Fact]
    public async Task A_position_that_is_applied_already_is_not_waited_for()
    {
        var waiter = new PositionWaiter();
        waiter.Advance(new Lsn(5));
        await waiter.WaitAsync(new Lsn(5), Cancel);
        await waiter.WaitAsync(Lsn.Zero, Cancel);
    }

    [Fact]
    public async Task Who_gives_up_is_forgotten()
    {
        var waiter = new PositionWaiter();
        using var impatient = new CancellationTokenSource();
        var waits = Enumerable.Range(1, 100).Select(i => waiter.WaitAsync(new Lsn((ulong)i), impatient.Token)).ToList();
        var patient = waiter.WaitAsync(new Lsn(50), Cancel);
        await impatient.CancelAsync();
        foreach (var wait in waits) await Should.ThrowAsync<OperationCanceledException>(() => wait);
        waiter.Count.ShouldBe(1);
        waiter.Advance(new Lsn(50));
        await patient;
    }
}
