using System.Net;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Shop;

/// <summary>Rows chosen for their edges: nulls, ties, blanks, case, accents, zeros of several scales, microseconds, leap days, the largest integers.</summary>
internal static class ShopData
{
    private static readonly string[] Names = ["Ada", "ada", "Émile", "ÉMILE", "Zoë", "under_score", "per%cent", "back\\slash", "", " lead", "trail ", "Łukasz", "Ωmega", "a", "B"];
    private static readonly string?[] Nicks = [null, "x", "X", "", "ünï", "a_b", "a%b", null, "quote'd", "näıve"];
    private static readonly decimal[] Credits = [0m, 0.01m, -0.01m, 9.99m, 10m, 10.10m, 9999999999.99m, -5.50m, 100m];
    private static readonly decimal[] Precisions = [1m, 1.0m, 1.00m, 0.333333333333m, -2.5m, 12345678901234567890.12m, 0m, 0.000m];
    private static readonly double[] Scores = [0, 1.5, -1.5, 0.1, 1e300, 1e-300, 3.0000000000000004, -0.0, 2.5];
    private static readonly float[] Ratios = [0f, 1.1f, -2.25f, 3.4e38f, 0.1f];
    private static readonly long[] Bigs = [0, 1, -1, long.MaxValue, long.MinValue, 9007199254740993, 42];
    private static readonly string[] Codes = ["A", "a", "AB ", "ABCDE", ""];
    private static readonly string[] Hosts = ["10.0.0.1", "::1", "192.168.1.20", "9.255.0.1", "fe80::1:2"];
    private static readonly string[] Texts = ["😀a", "a😀b", "e\u0301", "ß", "İi", "ﬁ", "𝔸", "\uFFFD", "\tx\n", "z ", "%", "_\\", "Z", ""];
    private static readonly int[] Ints = [0, 1, -1, int.MaxValue, int.MinValue, 7, -7];
    private static readonly decimal[] Amounts = [0m, 0.005m, -0.005m, 1.500m, 2.5m, -1.5m, 999999999.999m];
    private static readonly TimeOnly[] Times = [new(0, 0), new(23, 59, 59, 999, 999), new(12, 30, 15), new(6, 0, 0, 100), new(0, 0, 0, 0, 1)];
    private static readonly TimeSpan[] Spans = [TimeSpan.Zero, TimeSpan.FromMicroseconds(1), TimeSpan.FromDays(-1.5), TimeSpan.FromHours(36), TimeSpan.FromDays(400), TimeSpan.FromMilliseconds(-0.5)];

    private static readonly DateTime[] Instants =
    [
        new(2024, 2, 29, 23, 59, 59, 999, 999, DateTimeKind.Utc), new(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc), new(1969, 12, 31, 23, 59, 59, 500, DateTimeKind.Utc),
        new(2000, 1, 1, 0, 0, 0, 0, 1, DateTimeKind.Utc), new(1, 1, 1, 0, 0, 1, DateTimeKind.Utc), new(9999, 12, 31, 23, 59, 59, DateTimeKind.Utc), new(2023, 12, 31, 12, 0, 0, DateTimeKind.Utc),
        new(1900, 3, 1, 6, 7, 8, 120, DateTimeKind.Utc),
    ];

    private static readonly DateTime Base = new(2024, 2, 29, 23, 59, 59, DateTimeKind.Utc);

    public static async Task SeedAsync(ShopContext db)
    {
        for (var i = 0; i < 60; i++) db.Customers.Add(CustomerOf(i));
        for (var i = 0; i < 120; i++) db.Orders.Add(OrderOf(i));
        for (var i = 1; i <= 12; i++) db.Products.Add(new Product { Id = i, Sku = $"SKU-{i:000}", Name = Names[i % Names.Length], Weight = i % 4 == 0 ? null : i * 0.5 });
        for (var i = 1; i <= 6; i++) db.Categories.Add(new Category { Id = i, Name = $"Category {i}", ParentId = i > 2 ? i / 2 : null });
        await db.SaveChangesAsync();
        foreach (var product in await db.Products.AsTracking().Include(p => p.Categories).ToListAsync())
            product.Categories.AddRange(db.Categories.AsTracking().Where(c => (c.Id + product.Id) % 3 == 0));
        for (var i = 1; i <= 6; i++) db.Animals.Add(i % 2 == 0 ? new Dog { Name = $"Dog {i}", Barks = i } : new Cat { Name = $"Cat {i}", Lives = 9 - i });
        for (var i = 1; i <= 6; i++) db.Vehicles.Add(i % 2 == 0 ? new Car { Plate = $"P-{i}", Doors = i } : new Vehicle { Plate = $"P-{i}" });
        for (var i = 1; i <= 6; i++) db.Figures.Add(i % 2 == 0 ? new Circle { Id = i, Color = "red", Radius = i } : new Square { Id = i, Color = "blue", Side = i });
        for (var i = 1; i <= 20; i++) db.Documents.Add(new Document { TenantId = i % 3, Title = $"Document {i}" });
        for (var i = 0; i < 14; i++) db.Samples.Add(SampleOf(i));
        for (var i = 1; i <= 4; i++) db.Oddities.Add(new Oddity { Id = i, Until = i % 2 == 0 ? DateTime.MaxValue : Base.AddYears(i), Letter = "aé%Z"[i - 1], Tiny = (byte)(i * 60) });
        db.Unpublished.Add(new Unpublished { Name = "not here" });
        await db.SaveChangesAsync();
        await db.Database.ExecuteSqlAsync($"UPDATE \"Samples\" SET \"Day\" = '9999-12-31' WHERE \"Id\" = 5"); // what Npgsql writes for it is infinity
    }

    private static Customer CustomerOf(int i) => new()
    {
        Id = i + 1,
        Name = Names[i % Names.Length],
        Nick = Nicks[i % Nicks.Length],
        Credit = Credits[i % Credits.Length],
        Bonus = i % 4 == 0 ? null : i * 1.25m,
        Precise = Precisions[i % Precisions.Length],
        Active = i % 3 != 0,
        Vip = i % 3 == 0 ? null : i % 2 == 0,
        CreatedAt = Base.AddDays(i % 7 * 31).AddTicks(i % 5 * 10),
        LastSeen = i % 5 == 0 ? null : new DateTime(2020 + (i % 4), 1 + (i % 12), 1, i % 24, 30, 0, 123 * (i % 3), DateTimeKind.Unspecified),
        Signed = new DateTimeOffset(Base.AddHours(i % 9)),
        Birthday = new DateOnly(1960 + (i % 45), 1 + (i % 12), 1 + (i % 28)),
        Wakes = i % 6 == 0 ? null : new TimeOnly(i % 24, i % 60, 0).Add(TimeSpan.FromMicroseconds(i % 2)),
        Patience = i % 4 == 0 ? null : TimeSpan.FromSeconds(i * 37.5),
        Ref = new Guid(i * 7919, (short)i, 3, 0xff, 2, 3, 4, 5, 6, 7, (byte)i),
        Mood = (Mood)(i % 3),
        OldMood = i % 4 == 0 ? null : (Mood)((i + 1) % 3),
        Level = (Level)(1 + (i % 3)),
        Rank = (Level)(1 + ((i + 1) % 3)),
        Email = i % 2 == 0 ? $"User{i % 20}@Example.com" : $"user{i % 20}@example.COM",
        Code = Codes[i % Codes.Length],
        Lucky = [.. Enumerable.Range(1, i % 4)],
        Tags = [.. new[] { "new", "Vip", "a b", "né" }.Take(i % 5)],
        Score = Scores[i % Scores.Length],
        Ratio = Ratios[i % Ratios.Length],
        Big = Bigs[i % Bigs.Length],
        Small = (short)((i % 5) - 2),
        Parent = i % 3 == 0 ? null : 1 + (i / 2),
        Blob = i % 3 == 0 ? null : [.. Enumerable.Range(0, i % 4).Select(b => (byte)(b * 85))],
        Raw = i % 3 == 0 ? null : $$"""{"n": {{i % 4}}, "s": "t{{i % 2}}"}""",
        Address = new Address { Street = $"Street {i % 6}", City = i % 4 == 0 ? null : $"City {i % 3}" },
        Profile = new Profile
        {
            Theme = i % 2 == 0 ? "dark" : "light",
            Visits = i % 10,
            Beta = i % 3 == 0,
            Limit = 1.50m * i,
            Devices = [.. Enumerable.Range(0, i % 3).Select(d => new Device { Name = $"device {d}", Year = 2020 + d })],
        },
    };

    private static Sample SampleOf(int i) => new()
    {
        Id = i + 1,
        Host = IPAddress.Parse(Hosts[i % Hosts.Length]),
        Proxy = i % 3 == 0 ? null : IPAddress.Parse(Hosts[(i + 1) % Hosts.Length]),
        Object = i % 4 == 0 ? uint.MaxValue : (uint)i,
        Json = i % 3 == 0 ? null : $$"""{"b": {{i}},  "a": [1, 2.50]}""",
        Xml = i % 4 == 0 ? null : $"<a n=\"{i}\">x</a>",
        Longs = [.. Bigs.Take(i % 5)],
        Shorts = [.. Enumerable.Range(0, i % 4).Select(s => (short)(s - 1))],
        Flags = [.. Enumerable.Range(0, i % 3).Select(f => f == 0)],
        Keys = [.. Enumerable.Range(0, i % 3).Select(k => new Guid(k + i, 0xab, 3, 0xff, 2, 3, 4, 5, 6, 7, 8))],
        Labels = [.. new[] { "x", null, "Y", "" }.Take(i % 5)],
        Names = i % 3 == 0 ? null : [.. Texts.Take(i % 4)],
        Size = new Size { Width = i % 5, Height = i % 3 == 0 ? null : i * 0.50m, Unit = new Unit { Name = i % 2 == 0 ? "cm" : "CM" } },
        Text = Texts[i % Texts.Length],
        Short = i % 5 == 0 ? null : Texts[i * 3 % Texts.Length],
        Padded = i % 5 == 0 ? null : Codes[i % Codes.Length],
        Int = Ints[i % Ints.Length],
        Long = Bigs[i % Bigs.Length],
        Amount = Amounts[i % Amounts.Length],
        Exact = i % 4 == 0 ? null : Precisions[i % Precisions.Length],
        Double = i % 4 == 0 ? null : Scores[i % Scores.Length],
        At = Instants[i % Instants.Length],
        Local = i % 4 == 0 ? null : DateTime.SpecifyKind(Instants[(i + 2) % Instants.Length], DateTimeKind.Unspecified),
        Offset = i % 4 == 1 ? null : new DateTimeOffset(Instants[(i + 3) % Instants.Length]),
        Day = i % 5 == 0 ? null : DateOnly.FromDateTime(Instants[(i + 1) % Instants.Length].AddDays(i % 2 == 0 ? -2 : 1)),
        Time = Times[i % Times.Length],
        Span = Spans[i % Spans.Length],
        Bytes = [.. new byte[] { 0, 255, 128, 0, 1 }.Take(i % 6)],
    };

    private static Order OrderOf(int i)
    {
        var order = new Order
        {
            Id = 1000 + i,
            CustomerId = 1 + (i * 7 % 55),
            PlacedAt = Base.AddDays(-i).AddMinutes(i * 13),
            Total = (i % 11 * 12.34m) - 5,
            Note = i % 4 == 0 ? null : Names[i % Names.Length],
            Priority = (i % 5) - 1,
        };
        for (var line = 1; line <= i % 4; line++)
            order.Lines.Add(new OrderLine { LineNo = line, ProductId = 1 + ((i + line) % 12), Quantity = i % 6, Price = line * 1.2345m });
        return order;
    }
}
