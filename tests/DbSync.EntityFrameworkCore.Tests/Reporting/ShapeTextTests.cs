using DbSync.EntityFrameworkCore.Reporting;
using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Reporting;

public sealed class ShapeTextTests
{
    [Fact]
    public void No_value_of_any_kind_is_part_of_a_shape()
    {
        using var db = ShopFixture.Plain("Host=nowhere");
        var shape = ShapeText.Of(db.Customers.TagWith("for Ada").Where(c => c.Active == true && c.Mood == Mood.Happy && c.Name != "Ada" && c.Id > 17).Take(23).Expression);
        shape.ShouldContain("c.Active == value");
        foreach (var value in (string[])["True", "Happy", "Ada", "17", "23"]) shape.ShouldNotContain(value);
    }
}
