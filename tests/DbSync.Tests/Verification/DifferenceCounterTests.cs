namespace DbSync.Tests.Verification;

public sealed class DifferenceCounterTests
{
    [Fact]
    public void A_changed_row_is_one_difference_and_so_is_a_missing_or_an_extra_one()
    {
        var counter = new DifferenceCounter(hasKey: true);
        counter.AddPrimary(1, 10);
        counter.AddReplica(1, 11);
        counter.AddPrimary(2, 20);
        counter.AddReplica(3, 30);
        counter.AddPrimary(4, 40);
        counter.AddReplica(4, 40);

        counter.Count.ShouldBe(3);
    }

    [Fact]
    public void Without_a_key_a_missing_and_an_extra_row_are_one_that_was_changed()
    {
        var counter = new DifferenceCounter(hasKey: false);
        foreach (var row in new[] { 10, 10, 20 }) counter.AddPrimary(row, row);
        foreach (var row in new[] { 10, 30, 20 }) counter.AddReplica(row, row);

        counter.Count.ShouldBe(1);
    }

    [Fact]
    public void Groups_that_hold_the_same_rows_do_not_differ_whatever_the_order()
    {
        var (left, right) = (new GroupDigests(), new GroupDigests());
        left.Add(long.MinValue, -5);
        left.Add(7, 9);
        right.Add(7, 9);
        right.Add(long.MinValue, -5);

        left.DifferingFrom(right).ShouldBeEmpty();
        right.Add(-1, 1);
        left.DifferingFrom(right).ShouldBe([GroupDigests.GroupCount - 1]);
        left.Rows.ShouldBe(2);
    }
}
