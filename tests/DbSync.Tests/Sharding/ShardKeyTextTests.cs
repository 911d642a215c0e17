using System.Globalization;
using System.Text;
using CsCheck;

namespace DbSync.Tests.Sharding;

public sealed class ShardKeyTextTests
{
    private static readonly DateTime Epoch = new(2000, 1, 1);

    [Fact]
    public void Dates_count_days_as_the_calendar_does() =>
        Gen.Int[0, DateOnly.MaxValue.DayNumber].Select(DateOnly.FromDayNumber).Sample(
            date => ShardKeyText.Days(Utf8($"{date:yyyy-MM-dd}")) == date.DayNumber - DateOnly.FromDateTime(Epoch).DayNumber);

    [Fact]
    public void Timestamps_count_microseconds() =>
        Gen.Long[0, DateTime.MaxValue.Ticks / 10].Select(microseconds => new DateTime(microseconds * 10)).Sample(
            time => ShardKeyText.Microseconds(Utf8(time.ToString("yyyy-MM-dd HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture)))
                == (time - Epoch).Ticks / 10);

    [Theory]
    [InlineData("")]
    [InlineData("2024-1-01")]
    [InlineData("2024-01-01 ")]
    [InlineData("x024-01-01")]
    public void Another_form_is_refused_without_showing_it(string text)
    {
        var refusal = Should.Throw<DbSyncException>(() => ShardKeyText.Days(Utf8(text)));
        refusal.Code.ShouldBe(ErrorCodes.MalformedStream);
    }

    [Theory]
    [InlineData("1", "1.0")]
    [InlineData("-1", "1.000")]
    [InlineData("10000", "00010000.0")]
    [InlineData("0", "0.0000000")]
    [InlineData("NaN", "Infinity")]
    public void Numbers_hash_alike_whatever_their_scale_and_sign(string left, string right) =>
        PostgresHash.OfNumeric(Utf8(left)).ShouldBe(PostgresHash.OfNumeric(Utf8(right)));

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
