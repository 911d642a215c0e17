using Microsoft.Extensions.Time.Testing;

namespace DbSync.Tests.Hosting;

public sealed class SlotWatchTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void The_rate_is_that_of_the_last_minute_and_the_budget_lasts_as_long_as_it_says()
    {
        var watch = new SlotWatch(null!, TimeSpan.FromSeconds(2), null, _time);
        watch.Look(Slot(0, budget: 10_000_000));
        (watch.Status!.WalBytesPerSecond, watch.Status.BudgetEtaMs).ShouldBe((null, null));
        for (ulong i = 1; i <= 60; i++) // two minutes at 1,000 bytes a second, then one at 100,000
        {
            _time.Advance(TimeSpan.FromSeconds(2));
            watch.Look(Slot(i * 2_000, budget: 10_000_000));
        }
        watch.Status!.WalBytesPerSecond!.Value.ShouldBe(1_000, tolerance: 1);
        watch.Status.BudgetEtaMs!.Value.ShouldBe(10_000_000, tolerance: 10_000);
        for (ulong i = 1; i <= 31; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(2));
            watch.Look(Slot(120_000 + (i * 200_000), budget: 3_000_000));
        }
        watch.Status.WalBytesPerSecond!.Value.ShouldBe(100_000, tolerance: 2_000);
        watch.Status.BudgetEtaMs!.Value.ShouldBe(30_000, tolerance: 1_000);
    }

    [Fact]
    public void An_idle_primary_uses_no_budget_up()
    {
        var watch = new SlotWatch(null!, TimeSpan.FromSeconds(2), null, _time);
        for (var i = 0; i < 3; i++)
        {
            watch.Look(Slot(5_000, budget: 1_000));
            _time.Advance(TimeSpan.FromSeconds(2));
        }
        (watch.Status!.WalBytesPerSecond, watch.Status.BudgetEtaMs).ShouldBe((0, null));
    }

    [Fact]
    public void The_nearer_of_the_two_limits_counts_and_the_nodes_own_ends_the_slot()
    {
        var watch = new SlotWatch(null!, TimeSpan.FromSeconds(2), retainedBytesMax: 50_000, _time);
        watch.Look(Slot(0, budget: 10_000_000, retained: 20_000));
        watch.Status!.BudgetBytes.ShouldBe(30_000);
        watch.Look(Slot(0, budget: 1_000, retained: 20_000));
        watch.Status.BudgetBytes.ShouldBe(1_000);
        watch.Look(Slot(0, budget: null, retained: 50_000));
        watch.Status.BudgetBytes.ShouldBe(0);
        Should.Throw<DbSyncException>(() => watch.Look(Slot(0, budget: null, retained: 50_001))).Code.ShouldBe(ErrorCodes.SlotOverBudget);
    }

    private static SlotHealth Slot(ulong position, long? budget, long retained = 0) => new("slot", true, "reserved", retained, budget, new Lsn(position + 1_000_000));
}
