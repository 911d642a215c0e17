using System.Text;
using DbSync.Sqlite.Collations;

namespace DbSync.Sqlite.Tests.Collations;

public class EnumCollationTests
{
    private static readonly string[] Declared = ["sad", "ok", "happy", "Über", "a"];

    [Fact]
    public void Labels_sort_as_declared_and_unknown_ones_after_them()
    {
        var collation = new EnumCollation(Declared);
        string[] expected = [.. Declared, "", "b", "zzz"];
        var shuffled = expected.Reverse().ToArray();
        Array.Sort(shuffled, (x, y) => collation.Compare(Encoding.UTF8.GetBytes(x), Encoding.UTF8.GetBytes(y)));
        shuffled.ShouldBe(expected);
    }

    [Fact]
    public void A_label_equals_only_itself()
    {
        var collation = new EnumCollation(Declared);
        collation.Compare("ok"u8, "ok"u8).ShouldBe(0);
        collation.Compare("none"u8, "none"u8).ShouldBe(0);
        collation.Compare("none"u8, "nine"u8).ShouldBePositive();
    }
}
