using System.Numerics;
using System.Text;
using CsCheck;
using DbSync.Sqlite.Collations;

namespace DbSync.Sqlite.Tests.Collations;

public class DecimalCollationTests
{
    private static readonly string[] Ascending =
    [
        "-Infinity", "-100000000000000000000000000000000000000000", "-2", "-1.10", "-1.01", "-1", "-0.1", "0.00000000000000000000000000000000001",
        "0.09", "0.1", "0.10000000000000000000000000000000000000001", "1", "1.01", "9.99", "10", "79228162514264337593543950336", "Infinity", "NaN",
        "", "abc",
    ];

    [Fact]
    public void Numbers_sort_by_value_with_infinities_and_NaN_where_PostgreSQL_puts_them()
    {
        for (var i = 0; i < Ascending.Length; i++)
            for (var j = 0; j < Ascending.Length; j++)
                Math.Sign(Compare(Ascending[i], Ascending[j])).ShouldBe(i.CompareTo(j), $"{Ascending[i]} and {Ascending[j]}");
    }

    [Theory]
    [InlineData("1", "1.0")]
    [InlineData("300.0", "300")]
    [InlineData("-0", "0.000")]
    [InlineData("007.50", "7.5")]
    [InlineData("NaN", "NaN")]
    [InlineData("-Infinity", "-Infinity")]
    public void The_scale_does_not_count(string left, string right) => Compare(left, right).ShouldBe(0);

    [Fact]
    public void Any_two_numbers_compare_as_their_values()
    {
        var number = Gen.Select(Gen.String[Gen.Char['0', '9'], 1, 40], Gen.Int[0, 30], Gen.Bool);
        Gen.Select(number, number).Sample((a, b) => Math.Sign(Compare(Text(a), Text(b))) == Value(a).CompareTo(Value(b)));

        static string Text((string Digits, int Scale, bool Negative) n)
        {
            var digits = n.Digits.PadLeft(n.Scale + 1, '0');
            return (n.Negative ? "-" : "") + digits[..^n.Scale] + (n.Scale > 0 ? "." + digits[^n.Scale..] : "");
        }

        static BigInteger Value((string Digits, int Scale, bool Negative) n) =>
            BigInteger.Parse(n.Digits) * BigInteger.Pow(10, 30 - n.Scale) * (n.Negative ? -1 : 1);
    }

    [Fact]
    public void Comparing_allocates_nothing()
    {
        var left = Encoding.UTF8.GetBytes("-12345678901234567890.1234567890");
        var right = Encoding.UTF8.GetBytes("-12345678901234567890.1234567891");
        DecimalCollation.Compare(left, right);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) DecimalCollation.Compare(left, right);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    private static int Compare(string left, string right) => DecimalCollation.Compare(Encoding.UTF8.GetBytes(left), Encoding.UTF8.GetBytes(right));
}
