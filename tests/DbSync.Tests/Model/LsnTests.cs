using CsCheck;

namespace DbSync.Tests.Model;

public sealed class LsnTests
{
    [Fact]
    public void Any_position_survives_its_text_form() =>
        Gen.ULong.Sample(value => Lsn.Parse(new Lsn(value).ToString()) == new Lsn(value));

    [Theory]
    [InlineData("16/B374D848", 0x16_B374_D848UL)]
    [InlineData("0/0", 0UL)]
    [InlineData("ffffffff/ffffffff", ulong.MaxValue)]
    public void The_text_form_is_that_of_the_server(string text, ulong value) => Lsn.Parse(text).ShouldBe(new Lsn(value));

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("1/")]
    [InlineData("/1")]
    [InlineData("1/2/3")]
    [InlineData("100000000/0")]
    [InlineData("0/100000000")]
    [InlineData(" 0/0")]
    [InlineData("-1/0")]
    [InlineData("0x1/0")]
    [InlineData("g/0")]
    [InlineData(null)]
    public void What_the_server_does_not_print_is_refused(string? text)
    {
        Lsn.TryParse(text, out _).ShouldBeFalse();
        if (text is not null) Should.Throw<FormatException>(() => Lsn.Parse(text));
    }

    [Fact]
    public void Order_and_distance_are_those_of_the_numbers() =>
        Gen.Select(Gen.ULong, Gen.ULong).Sample((a, b) =>
        {
            var (left, right) = (new Lsn(a), new Lsn(b));
            (left < right).ShouldBe(a < b);
            (left >= right).ShouldBe(a >= b);
            Math.Sign(left.CompareTo(right)).ShouldBe(a.CompareTo(b));
            Lsn.Max(left, right).Value.ShouldBe(Math.Max(a, b));
            Lsn.Min(left, right).Value.ShouldBe(Math.Min(a, b));
            if (a <= b) Lsn.BytesBetween(left, right).ShouldBe(0);
        });
}
