namespace DbSync.Postgres.Tests.Stream;

public sealed class TimelineGuardTests
{
    private const string History =
        """
        1	0/3000000	no recovery target specified

        2	0/5000000	before 2026-01-01 00:00:00+00
        """;

    private readonly List<uint> _followed = [];

    [Theory]
    [InlineData(2u, "0/5000000")]
    [InlineData(2u, "0/4000000")]
    [InlineData(1u, "0/3000000")]
    public void A_timeline_that_has_everything_is_followed(uint known, string position)
    {
        var guard = new TimelineGuard(known, _followed.Add);
        guard.Follow(3, Lsn.Parse(position), _ => History);
        _followed.ShouldBe([3u]);
        guard.Follow(3, Lsn.Parse("0/9000000"), _ => throw new InvalidOperationException("it is known now"));
        guard.IsNew(3).ShouldBeFalse();
    }

    [Theory]
    [InlineData(2u, "0/5000001")]
    [InlineData(1u, "0/3000001")]
    [InlineData(4u, "0/1")]
    [InlineData(7u, "0/1")]
    public void One_that_was_left_before_is_not(uint known, string position)
    {
        var guard = new TimelineGuard(known, _followed.Add);
        Should.Throw<DbSyncException>(() => guard.Follow(3, Lsn.Parse(position), _ => History)).Code.ShouldBe(ErrorCodes.TimelineForked);
        _followed.ShouldBeEmpty();
    }

    [Fact]
    public void The_first_one_is_taken_as_it_is()
    {
        new TimelineGuard(null, _followed.Add).Follow(5, Lsn.Parse("0/1"), _ => throw new InvalidOperationException("nothing to compare with"));
        _followed.ShouldBe([5u]);
    }
}
