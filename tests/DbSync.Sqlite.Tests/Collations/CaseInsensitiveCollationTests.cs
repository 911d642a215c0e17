using System.Text;
using DbSync.Sqlite.Collations;

namespace DbSync.Sqlite.Tests.Collations;

public class CaseInsensitiveCollationTests
{
    [Theory]
    [InlineData("Straße", "sTRASSE", 1)]
    [InlineData("ÉMILE", "émile", 0)]
    [InlineData("abc", "ABCD", -1)]
    [InlineData("", "a", -1)]
    [InlineData("Z", "a", 1)]
    [InlineData("[", "a", -1)]
    [InlineData("É", "z", 1)]
    [InlineData("a", "a ", -1)]
    [InlineData("ΣΊΣΥΦΟΣ", "σίσυφοσ", 0)]
    [InlineData("𐐀", "𐐨", 0)]
    [InlineData("İ", "I", 0)]
    public void Compares_lower_case_forms_in_code_point_order(string left, string right, int expected)
    {
        var a = Encoding.UTF8.GetBytes(left);
        var b = Encoding.UTF8.GetBytes(right);
        Math.Sign(CaseInsensitiveCollation.Compare(a, b)).ShouldBe(expected);
        Math.Sign(CaseInsensitiveCollation.Compare(b, a)).ShouldBe(-expected);
    }
}
