using Microsoft.Data.Sqlite;

namespace DbSync.Sqlite.Tests;

/// <summary>
/// What SQLite does to values on their way into a column of a declared type. Text that codecs keep in INTEGER and REAL columns never looks
/// like a number, so it stays; the one loss is the sign of -0.0.
/// </summary>
public class AffinityTests
{
    static AffinityTests() => SQLitePCL.Batteries_V2.Init();

    [Theory]
    [InlineData("NaN")]
    [InlineData("1 mon")]
    [InlineData("infinity")]
    [InlineData("-infinity")]
    [InlineData("2562047788:00:54.775807")]
    [InlineData("1 year 2 mons 3 days 04:05:06")]
    public void Kept_text_stays_text_in_any_column(string kept)
    {
        Store("REAL", kept).ShouldBe(("text", kept));
        Store("INTEGER", kept).ShouldBe(("text", kept));
    }

    [Fact]
    public void Text_that_looks_like_a_number_does_not_stay_text()
    {
        Store("REAL", "1e5").ShouldBe(("real", 100000.0));
        Store("INTEGER", "18446744073709551615").ShouldBe(("real", 18446744073709551615.0));
        Store("TEXT", "1.50").ShouldBe(("text", "1.50"));
    }

    [Fact]
    public void A_REAL_column_loses_the_sign_of_negative_zero_and_a_BLOB_column_keeps_it()
    {
        double.IsNegative((double)Store("REAL", -0.0).Value).ShouldBeFalse();
        double.IsNegative((double)Store("BLOB", -0.0).Value).ShouldBeTrue();
        Store("BLOB", 1.0).ShouldBe(("real", 1.0));
    }

    [Theory]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(double.Epsilon)]
    [InlineData(1.6666666269302368)]
    [InlineData(9007199254740993e3)]
    [InlineData(-1e300)]
    public void Every_other_real_comes_back_as_it_went(double value) => Store("REAL", value).ShouldBe(("real", value));

    private static (string Class, object Value) Store(string declaredType, object value)
    {
        using var connection = new SqliteConnection("Data Source=:memory:");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"CREATE TABLE t (v {declaredType}); INSERT INTO t VALUES ($v); SELECT typeof(v), v FROM t";
        command.Parameters.AddWithValue("$v", value);
        using var reader = command.ExecuteReader();
        reader.Read().ShouldBeTrue();
        return (reader.GetString(0), reader.GetValue(1));
    }
}
