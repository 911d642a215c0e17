using DbSync.Locking;

namespace DbSync.Testing.Contracts;

/// <summary>
/// A range between values of which only the order is known, and the positions it covers: value i is position 2i + 1, what lies between two
/// values is the even position between theirs. So what overlaps is known without looking at any encoding.
/// </summary>
public sealed record KindOfRange(string Name, KeyRange Range, int From, int To)
{
    public bool Overlaps(KindOfRange other) => From < other.To && other.From < To;

    /// <summary>Every kind of range that ascending values make.</summary>
    public static IReadOnlyList<KindOfRange> Of(IReadOnlyList<RangeKey> ascending)
    {
        var end = (2 * ascending.Count) + 1;
        var kinds = new List<KindOfRange> { new("all", KeyRange.All, 0, end) };
        for (var i = 0; i < ascending.Count; i++)
        {
            var (low, at, past) = (ascending[i], (2 * i) + 1, (2 * i) + 2);
            kinds.Add(new($"= {i}", KeyRange.Single(low), at, past));
            kinds.Add(new($">= {i}", KeyRange.AtLeast(low), at, end));
            kinds.Add(new($"> {i}", KeyRange.GreaterThan(low), past, end));
            kinds.Add(new($"<= {i}", KeyRange.AtMost(low), 0, past));
            kinds.Add(new($"< {i}", KeyRange.LessThan(low), 0, at));
            for (var j = i + 1; j < ascending.Count; j++)
            {
                var (high, highAt, highPast) = (ascending[j], (2 * j) + 1, (2 * j) + 2);
                kinds.Add(new($"[{i}, {j})", KeyRange.HalfOpen(low, high), at, highAt));
                kinds.Add(new($"[{i}, {j}]", KeyRange.Closed(low, high), at, highPast));
                kinds.Add(new($"({i}, {j})", KeyRange.Open(low, high), past, highAt));
                kinds.Add(new($"({i}, {j}]", KeyRange.OpenClosed(low, high), past, highPast));
            }
        }

        return kinds;
    }

    /// <summary>Ascending values of each kind of key, with those that an encoding gets wrong first: signs, ends, zero bytes, prefixes, scales.</summary>
    public static IReadOnlyDictionary<string, RangeKey[]> Values { get; } = new Dictionary<string, RangeKey[]>(StringComparer.Ordinal)
    {
        ["int"] = [int.MinValue, -7, int.MaxValue],
        ["long"] = [long.MinValue, -256L, 255L],
        ["Guid"] = [new Guid("00000000-0000-0000-0000-0000000000ff"), new Guid("00000000-0000-0001-0000-000000000000"), new Guid("ff000000-0000-0000-0000-000000000000")],
        ["string"] = ["", "a\0", "aö"],
        ["byte[]"] = [Array.Empty<byte>(), new byte[] { 0, 255 }, new byte[] { 255 }],
        ["DateTime"] = [DateTime.MinValue, new DateTime(2026, 3, 29, 1, 59, 59), DateTime.MaxValue],
        ["DateTimeOffset"] =
        [
            new DateTimeOffset(2026, 1, 1, 3, 0, 0, TimeSpan.FromHours(14)), new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero),
            new DateTimeOffset(2025, 12, 31, 23, 0, 0, TimeSpan.FromHours(-12)),
        ],
        ["decimal"] = [decimal.MinValue, -0.0000000001m, 100.10m],
        ["composite"] = [RangeKey.Composite(1, "a", 2.5m), RangeKey.Composite(1, "a\0", -9m), RangeKey.Composite(2, "", Guid.Empty)],
        ["long keys"] = [new string('k', 800), new string('k', 801), RangeKey.Composite("l", new byte[400])],
    };
}
