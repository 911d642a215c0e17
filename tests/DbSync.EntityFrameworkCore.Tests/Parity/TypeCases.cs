#pragma warning disable MA0169 // an operator is what queries use
using System.Net;
using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;
using static DbSync.EntityFrameworkCore.Tests.Parity.ParityCase;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>The types that shops seldom have: addresses, oid, json, xml, arrays of everything, complex types, letters and small numbers.</summary>
internal static class TypeCases
{
    private static readonly IPAddress Loopback = IPAddress.IPv6Loopback; // of a type of its own
    private static readonly IPAddress Local = IPAddress.Parse("192.168.1.20");
    private static readonly IPAddress[] Hosts = [IPAddress.Parse("10.0.0.1"), Loopback];
    private static readonly Guid Key = new(2, 0xab, 3, 0xff, 2, 3, 4, 5, 6, 7, 8);
    private static readonly byte[] Bytes = [0, 255];
    private static readonly byte[] NoBytes = [];
    private static readonly uint[] Oids = [1, uint.MaxValue];
    private static readonly string?[] Labels = ["x", null];

    public static IEnumerable<ParityCase> All =>
    [
        Pick(s => s),
        Pick(s => s.Host),
        Pick(s => s.Host.ToString()).To(RouteReason.NotAlike),
        Pick(s => s.Object),
        Pick(s => s.Json),
        Pick(s => s.Xml),
        Pick(s => s.Longs),
        Pick(s => s.Shorts),
        Pick(s => s.Flags),
        Pick(s => s.Keys),
        Pick(s => s.Labels),
        Pick(s => s.Names),
        Pick(s => s.Size),
        Pick(s => s.Size.Unit),
        Pick(s => s.Size.Width),
        Pick(s => s.Size.Height),
        Pick(s => s.Size.Unit.Name),
        Pick(s => s.Bytes),
        Pick(s => s.Bytes.Length),
        Pick(s => new { s.Size.Width, s.Size.Unit }),

        WhereSample(s => s.Host == Local),
        WhereSample(s => s.Proxy == null),
        WhereSample(s => s.Proxy != Local),
        WhereSample(s => s.Host == s.Proxy),
        WhereSample(s => Hosts.Contains(s.Host)),
        WhereSample(s => s.Object == uint.MaxValue),
        WhereSample(s => s.Object > 3),
        WhereSample(s => Oids.Contains(s.Object)),
        WhereSample(s => s.Json == null),
        WhereSample(s => s.Json == "{}").To(RouteReason.NotAlike),
        WhereSample(s => s.Json!.Contains("a")).To(RouteReason.NotAlike),
        WhereSample(s => s.Xml != null),
        WhereSample(s => s.Xml == "<a/>").To(RouteReason.NotAlike),
        WhereSample(s => s.Longs.Contains(long.MaxValue)),
        WhereSample(s => s.Longs.Length == 2),
        WhereSample(s => s.Longs.Any(l => l < 0)),
        WhereSample(s => s.Shorts.Contains((short)-1)),
        WhereSample(s => s.Shorts.Any()),
        WhereSample(s => s.Flags.Contains(true)),
        WhereSample(s => s.Flags.All(f => f)),
        WhereSample(s => s.Keys.Contains(Key)),
        WhereSample(s => s.Labels.Contains("Y")),
        WhereSample(s => s.Labels.Contains(null)),
        WhereSample(s => s.Labels.Contains("")),
        WhereSample(s => !s.Labels.Contains("x")),
        WhereSample(s => s.Labels.Any(l => l == null)),
        WhereSample(s => s.Labels.Any(l => Labels.Contains(l))),
        WhereSample(s => s.Labels.Count == 3),
        WhereSample(s => s.Names == null),
        WhereSample(s => s.Names!.Length == 0),
        WhereSample(s => s.Names!.Length > 1),
        WhereSample(s => !(s.Names!.Length > 1)),
        WhereSample(s => s.Names!.Contains("ß")),
        WhereSample(s => !s.Names!.Contains("ß")),
        WhereSample(s => s.Names!.Any()),
        WhereSample(s => !s.Names!.Any()),
        WhereSample(s => s.Names!.All(n => n == "😀a")),
        WhereSample(s => s.Longs[0] == 0),
        WhereSample(s => s.Longs[5] == 0),
        WhereSample(s => s.Longs == s.Longs),
        WhereSample(s => s.Size.Width > 2),
        WhereSample(s => s.Size.Height == null),
        WhereSample(s => s.Size.Height == 2.5m),
        WhereSample(s => s.Size.Unit.Name == "cm"),
        WhereSample(s => s.Size.Unit.Name.ToLower() == "cm" && s.Size.Width == 1),
        WhereSample(s => s.Bytes == Bytes),
        WhereSample(s => s.Bytes != NoBytes),
        WhereSample(s => s.Bytes.Length == 0),
        WhereSample(s => s.Bytes.Contains((byte)255)).To(RouteReason.NotAlike),
        WhereSample(s => s.Bytes[0] == 0).To(RouteReason.NotTranslatable),

        Any(db => db.Samples.OrderBy(s => s.Host).ThenBy(s => s.Id).Select(s => s.Id).ToList()).To(RouteReason.NotAlike),
        Any(db => db.Samples.OrderBy(s => s.Object).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Any(db => db.Samples.OrderBy(s => s.Size.Height).ThenBy(s => s.Id).Select(s => s.Size).ToList()),
        Any(db => db.Samples.OrderBy(s => s.Bytes).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Any(db => db.Samples.Max(s => s.Object)),
        Any(db => db.Samples.Sum(s => s.Size.Width)),
        Any(db => db.Samples.Sum(s => s.Size.Height)),
        Any(db => Unordered(db.Samples.GroupBy(s => s.Host).Select(g => new { g.Key, n = g.Count() }))),
        Any(db => Unordered(db.Samples.GroupBy(s => s.Object).Select(g => new { g.Key, n = g.Count() }))),
        Any(db => Unordered(db.Samples.GroupBy(s => s.Size.Unit.Name).Select(g => new { g.Key, n = g.Sum(s => s.Size.Width) }))),
        Any(db => Unordered(db.Samples.GroupBy(s => s.Size).Select(g => g.Count()))),
        Any(db => Unordered(db.Samples.Select(s => s.Size).Distinct())),
        Any(db => Unordered(db.Samples.Select(s => s.Bytes).Distinct())),
        Any(db => Unordered(db.Samples.Select(s => s.Longs).Distinct())),
        Any(db => db.Oddities.OrderBy(o => o.Id).Select(o => o.Letter).ToList()).To(RouteReason.PrimaryOnlyColumn),
        Any(db => db.Oddities.Count(o => o.Letter == 'a')).To(RouteReason.PrimaryOnlyColumn),
        Any(db => db.Oddities.OrderBy(o => o.Tiny).ToList()).To(RouteReason.PrimaryOnlyColumn),
        Any(db => db.Oddities.Count(o => o.Tiny > 200)).To(RouteReason.PrimaryOnlyColumn),
        Any(db => db.Samples.Max(s => s.Host)).To(RouteReason.NotAlike),
        Any(db => db.Samples.SelectMany(s => s.Longs).Count()).To(RouteReason.NotTranslatable),
        Any(db => db.Samples.SelectMany(s => s.Labels, (s, l) => new { s.Id, l }).OrderBy(x => x.Id).ThenBy(x => x.l).ToList()).To(RouteReason.NotTranslatable),
        Any(db => Unordered(db.Samples.SelectMany(s => s.Shorts, (s, x) => new { s.Id, x }))).To(RouteReason.NotTranslatable),
        Pick(s => s.Longs.Sum()),
        Pick(s => s.Shorts.Max(x => (short?)x)),
        Pick(s => s.Labels.Count(l => l == null)),
        Pick(s => s.Longs.FirstOrDefault()),
        Pick(s => s.Longs.Where(l => l > 0).Count()),
    ];
}
