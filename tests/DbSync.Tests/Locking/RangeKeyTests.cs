using CsCheck;
using DbSync.Locking;

namespace DbSync.Tests.Locking;

/// <summary>T34: the encoding keeps the order of the values, and bounds are prefix-free.</summary>
public sealed class RangeKeyTests
{
    private const long Samples = 20_000;

    private static readonly Gen<string> Texts = Gen.String[Gen.OneOf(Gen.Char['\0', '\u0003'], Gen.Char['a', 'c'], Gen.Char['\u00e0', '\u0fff']), 0, 6];

    [Fact]
    public void Integers_keep_their_order() =>
        Gen.Select(Gen.OneOf(Gen.Long, Gen.Long[-3, 3]), Gen.OneOf(Gen.Long, Gen.Long[-3, 3]))
            .Sample((a, b) => Sign(a.CompareTo(b)) == Order(a, b), iter: Samples);

    [Fact]
    public void Decimals_keep_their_order() =>
        Gen.Select(Gen.OneOf(Gen.Decimal, Small), Gen.OneOf(Gen.Decimal, Small))
            .Sample((a, b) => Sign(a.CompareTo(b)) == Order(a, b), iter: Samples);

    [Fact]
    public void Texts_keep_the_order_of_their_utf8_bytes() =>
        Gen.Select(Texts, Texts).Sample((a, b) =>
            Sign(System.Text.Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(System.Text.Encoding.UTF8.GetBytes(b))) == Order(a, b),
            iter: Samples);

    [Fact]
    public void Bytes_keep_their_order() =>
        Gen.Select(Gen.Byte[0, 2].Array[0, 5], Gen.Byte[0, 2].Array[0, 5])
            .Sample((a, b) => Sign(a.AsSpan().SequenceCompareTo(b)) == Order(a, b), iter: Samples);

    [Fact]
    public void Instants_keep_their_order_and_forget_their_offset() =>
        Gen.Select(Gen.DateTimeOffset, Gen.DateTimeOffset).Sample((a, b) => Sign(a.CompareTo(b)) == Order(a, b), iter: Samples);

    [Fact]
    public void Composite_keys_are_compared_part_by_part() =>
        Gen.Select(Gen.Int[0, 2], Texts, Gen.Int[0, 2], Texts).Sample((a, s, b, t) =>
        {
            var expected = a != b ? Sign(a.CompareTo(b)) : Order(s, t);
            return Order(RangeKey.Composite(a, s), RangeKey.Composite(b, t)) == expected;
        }, iter: Samples);

    [Fact]
    public void No_bound_begins_another() =>
        Gen.Select(Keys, Keys).Sample((a, b) =>
        {
            foreach (var left in Bounds(a))
            foreach (var right in Bounds(b))
                if (left.Length != right.Length && left.AsSpan().StartsWith(right))
                    return false;
            return true;
        }, iter: Samples);

    [Theory]
    [InlineData(1, 5, 1, 6)]
    [InlineData(long.MaxValue - 1, long.MaxValue - 1, long.MaxValue - 1, long.MaxValue)]
    public void Closed_ranges_of_integers_are_the_half_open_ones(long low, long high, long sameLow, long sameHigh) =>
        KeyRange.Closed(low, high).ShouldBe(KeyRange.HalfOpen(sameLow, sameHigh));

    [Fact]
    public void Ends_decide_what_is_inside()
    {
        KeyRange.Closed(1, 5).Contains(5).ShouldBeTrue();
        KeyRange.HalfOpen(1, 5).Contains(5).ShouldBeFalse();
        KeyRange.OpenClosed("a", "b").Contains("a").ShouldBeFalse();
        KeyRange.OpenClosed("a", "b").Contains("b").ShouldBeTrue();
        KeyRange.Open("a", "b").Contains("a\0").ShouldBeTrue("it is the next text after a");
        KeyRange.AtLeast(long.MaxValue).Contains(long.MaxValue).ShouldBeTrue();
        KeyRange.GreaterThan(long.MaxValue).Contains(long.MaxValue).ShouldBeFalse();
        KeyRange.AtMost("m").Overlaps(KeyRange.GreaterThan("m")).ShouldBeFalse();
        KeyRange.LessThan(3).Overlaps(KeyRange.AtLeast(3)).ShouldBeFalse();
        KeyRange.All.Contains(Guid.Empty).ShouldBeTrue();
        KeyRange.Single(RangeKey.Composite(5, "a")).Overlaps(KeyRange.Single(5)).ShouldBeTrue();
        Should.Throw<DbSyncException>(() => KeyRange.Open(5, 6)).Code.ShouldBe("DBS6004");
        Should.Throw<DbSyncException>(() => RangeKey.From("\ud800")).Code.ShouldBe("DBS6004");
    }

    [Fact]
    public void Uuids_sort_as_in_PostgreSQL()
    {
        var low = new Guid("00000000-0000-0000-0000-0000000000ff");
        var high = new Guid("01000000-0000-0000-0000-000000000000");
        Order(low, high).ShouldBe(-1);
    }

    [Fact]
    public void The_same_value_is_the_same_key_whatever_its_type()
    {
        RangeKey.From(5).ShouldBe(RangeKey.From(5L));
        RangeKey.From(1.0m).ShouldBe(RangeKey.From(1.00m));
        var instant = new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.FromHours(2));
        RangeKey.From(instant).ShouldBe(RangeKey.From(instant.UtcDateTime));
        RangeKey.From(DateTime.SpecifyKind(instant.UtcDateTime, DateTimeKind.Unspecified)).ShouldNotBe(RangeKey.From(instant));
    }

    [Fact]
    public void Ranges_are_shown_as_people_write_them()
    {
        KeyRange.Closed(1, 5).ToString().ShouldBe("[1, 6)");
        KeyRange.OpenClosed("a", "o'b\u001b").ToString().ShouldBe("('a', 'o''b\\u001B']");
        KeyRange.AtLeast(-12.50m).ToString().ShouldBe("[-12.5, +∞)");
        KeyRange.LessThan(0.001m).ToString().ShouldBe("(-∞, 0.001)");
        KeyRange.AtMost(1200m).ToString().ShouldBe("(-∞, 1200]");
        KeyRange.Single(RangeKey.Composite(5, new byte[] { 0, 1 })).ToString().ShouldBe("[(5, x'0001'), (5, x'0001')]");
        KeyRange.All.ToString().ShouldBe("(-∞, +∞)");
    }

    private static Gen<decimal> Small => Gen.Select(Gen.Int[-200, 200], Gen.Int[0, 3], (n, scale) => n / (decimal)Math.Pow(10, scale));

    private static Gen<RangeKey> Keys => Gen.OneOf(
        Gen.Long[-2, 2].Select(value => RangeKey.From(value)), Texts.Select(value => RangeKey.From(value)),
        Gen.Byte[0, 1].Array[0, 3].Select(value => RangeKey.From(value)), Small.Select(value => RangeKey.From(value)),
        Gen.Select(Gen.Int[0, 1], Texts, (number, text) => RangeKey.Composite(number, text)));

    private static byte[][] Bounds(RangeKey key) =>
        [KeyRange.Single(key).Low.ToArray(), KeyRange.Single(key).High.ToArray(), KeyRange.GreaterThan(key).Low.ToArray(), [0], [255]];

    private static int Order(RangeKey a, RangeKey b) => Sign(a.CompareTo(b));

    private static int Sign(int comparison) => Math.Sign(comparison);
}
