using System.Collections.ObjectModel;
using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;
using static DbSync.EntityFrameworkCore.Tests.Parity.ParityCase;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Members of .NET and operators of LINQ that the other cases have no use for.</summary>
internal static class MemberCases
{
    private static readonly int Three = 3;
    private static readonly int? Nothing = int.TryParse("", out var none) ? none : null;
    private static readonly long Many = 42;
    private static readonly short Little = -1;
    private static readonly decimal Ten = 10.0m;
    private static readonly DateTime Moment = new(2024, 2, 29, 23, 59, 59, DateTimeKind.Utc);
    private static readonly DateOnly Day = new(1980, 6, 15);
    private static readonly Guid Ref = new(3 * 7919, 3, 3, 0xff, 2, 3, 4, 5, 6, 7, 3);
    private static readonly HashSet<int> Set = [1, 5, 9];
    private static readonly List<int?> Gaps = [1, null, 7];
    private static readonly ICollection<string> Few = new Collection<string> { "Ada", "B" };
    private static readonly IList<string> Listed = ["ada", "", "Zoë"];
    private static readonly ICollection<int> Numbers = new List<int> { 3, 5 };
    private static readonly int[] None = [];
    private static readonly List<int> NoList = [];

    public static IEnumerable<ParityCase> All =>
    [
        // Equals and CompareTo
        Where(c => c.Id.Equals(3)),
        Where(c => c.Id.Equals(Three)),
        Where(c => c.Parent.Equals(Three)),
        Where(c => c.Parent.Equals(Nothing)),
        Where(c => c.Big.Equals(42L)),
        Where(c => c.Big.Equals(Many)),
        Where(c => c.Small.Equals(Little)),
        Where(c => c.Small.Equals((short)2)),
        Where(c => c.Active.Equals(true)),
        Where(c => c.Active.Equals(c.Vip == true)),
        Where(c => c.Ref.Equals(Ref)),
        Where(c => c.CreatedAt.Equals(Moment)),
        Where(c => c.Birthday.Equals(Day)),
        Where(c => c.Credit.Equals(Ten)),
        Where(c => c.Credit.Equals(10.10m)),
        Where(c => Equals(c.Id, Three)),
        Where(c => Equals(c.Nick, null)),
        Where(c => string.Equals(c.Name, c.Nick)),
        Where(c => c.Name.Equals("ada", StringComparison.OrdinalIgnoreCase)).To(RouteReason.NotTranslatable),
        Where(c => c.Id.Equals(c.Big)),
        Where(c => c.Id.CompareTo(Three) > 0),
        Where(c => c.Id.CompareTo(3) == -1),
        Where(c => c.Big.CompareTo(Many) >= 0),
        Where(c => c.CreatedAt.CompareTo(Moment) <= 0),
        Where(c => c.Birthday.CompareTo(Day) < 0),
        Where(c => c.Credit.CompareTo(Ten) > 0).To(RouteReason.NotAlike),
        Where(c => string.Compare(c.Name, c.Nick) < 0),
        Where(c => string.Compare(c.Name, "a") == 1),
        Select(c => c.Id.CompareTo(30)),
        Select(c => string.Compare(c.Name, "a")),
        Select(c => c.Small.ToString()),
        Select(c => c.Id.Equals(c.Parent)),

        // numbers
        Select(c => decimal.Floor(c.Credit)),
        Select(c => decimal.Ceiling(c.Credit)),
        Where(c => decimal.Floor(c.Credit) == 9).To(RouteReason.NotTranslatable),
        Where(c => decimal.Ceiling(c.Credit) == 10).To(RouteReason.NotTranslatable),
        Where(c => Math.Truncate(c.Credit) == 9).To(RouteReason.NotTranslatable),
        Where(c => Math.Abs(c.Credit) > 5).To(RouteReason.NotTranslatable),
        Where(c => Math.Abs(c.Score) > 1),
        Where(c => Math.Abs(c.Small) == 2),
        Where(c => Math.Max(c.Id, 30) == 30),
        Where(c => Math.Min(c.Id, c.Big) == c.Id),
        Where(c => Math.Max(c.Parent ?? 0, Three) == 3),
        Where(c => Math.Max(c.Parent!.Value, 30) == 30).To(RouteReason.NotAlike),
        Select(c => Math.Abs(c.Score)),
        Where(c => Math.Sign(c.Id - 30) == 1).To(RouteReason.NotAlike),

        // lists
        Where(c => Set.Contains(c.Id)),
        Where(c => !Set.Contains(c.Id)),
        Where(c => Gaps.Contains(c.Parent)),
        Where(c => !Gaps.Contains(c.Parent)),
        Where(c => Few.Contains(c.Name)).To(RouteReason.NotTranslatable),
        Where(c => Listed.Contains(c.Name)).To(RouteReason.NotTranslatable),
        Where(c => Numbers.Contains(c.Id)).To(RouteReason.NotTranslatable),
        Where(c => None.Contains(c.Id)),
        Where(c => !None.Contains(c.Id)),
        Where(c => NoList.Contains(c.Parent ?? 0)),
        Where(c => c.Id == Set.Count),
        Where(c => c.Id == Few.Count),
        Where(c => NoList.Count == 0 && c.Id < 4),
        Where(c => Gaps.All(g => g != c.Parent)),
        Where(c => None.Any(n => n == c.Id)),
        Where(c => c.Orders.Count > 2 && c.Profile.Visits > Set.Count),
        Where(c => c.Tags.Count() > 1),
        Where(c => c.Lucky.Count() > 1),
        Where(c => c.Lucky.Length > c.Tags.Count),

        // EF's own
        Where(c => c.Id == EF.Parameter(4)),
        Where(c => EF.Constant(Set).Contains(c.Id)),
        Where(c => EF.Parameter(Set).Contains(c.Id)),
        Where(c => EF.Property<int?>(c, "Parent") == null),

        // tuples and pairs
        Select(c => ValueTuple.Create(c.Id, c.Name)).To(RouteReason.NotAlike),
        Select(c => Tuple.Create(c.Id, c.Nick)),
        Select(c => new Tuple<int, bool?>(c.Id, c.Vip)),
        Any(db => db.Customers.Select(c => new KeyValuePair<int, string>(c.Id, c.Name)).OrderBy(p => p.Key).ToList()).To(RouteReason.NotAlike),
        Select(c => new List<int> { c.Id, c.Small }),
        Select(c => new[] { c.Id, c.Small }),
        Select(c => new[] { c.Name, c.Nick }),
        Select(c => new object[] { c.Id, c.Name }),

        Select(c => new { c.Wakes!.Value.Minute, c.Wakes!.Value.Hour }),
        Select(c => (int?)c.Wakes!.Value.Hour),
        Select(c => (decimal?)Math.Floor(c.Bonus!.Value)).To(RouteReason.NotAlike),
        Any(db => db.Categories.LeftJoin(db.Samples, c => c.Id, s => s.Id + 3, (c, s) => new { c.Id, Hour = (int?)s!.Time.Hour }).OrderBy(x => x.Id).ToList()),
        Any(db => db.Samples.OrderBy(s => s.Id).Select(s => new { s.Time.Hour, s.Time.Minute }).ToList()),
        Any(db => db.Samples.OrderBy(s => s.Id).Select(s => s.Time.Second).ToList()).To(RouteReason.NotAlike),
        Any(db => db.Categories.OrderBy(c => c.Id).Select(c => new { c.Id, Products = c.Products.Count, Children = c.Children.Count }).ToList()),
        Any(db => db.Orders.OrderBy(o => o.Id).Where(o => o.Lines.Count > 1).Select(o => o.Id).ToList()),
        Any(db => db.Products.Where(p => p.Categories.Any(c => c.Products.Contains(p))).OrderBy(p => p.Id).Select(p => p.Id).ToList()),

        // operators
        Any(db => db.Customers.AsQueryable().Select(c => c.Id).Order().ToList()),
        Any(db => db.Customers.Select(c => c.Name).OrderDescending().ToList()),
        Any(db => db.Orders.RightJoin(db.Customers, o => o.CustomerId, c => c.Id, (o, c) => new { c.Id, Order = (long?)o!.Id }).OrderBy(x => x.Id).ThenBy(x => x.Order).ToList()),
        Any(db => db.Customers.Where(c => c.Id < 5).OrderBy(c => c.Id).Cast<object>().ToList()),
        Any(db => db.Set<Dog>().OrderBy(d => d.Id).Cast<Animal>().ToList().ConvertAll(a => (object)a)),
        Any(db => db.Animals.Where(a => a.Name.StartsWith("Dog")).Cast<Dog>().OrderBy(d => d.Id).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).LastOrDefault(c => c.Id > 500)),
        Any(db => db.Customers.OrderBy(c => c.Nick).ThenBy(c => c.Id).LastOrDefault()),
        Any(db => db.Customers.OrderBy(c => c.Id).Last(c => c.Vip == null)),
        Any(db => db.Customers.LastOrDefault(c => c.Id > 5)).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.Where(c => c.Id > 500).Select(c => c.Id).DefaultIfEmpty().ToList()),
        Any(db => db.Customers.Where(c => c.Id > 500).Select(c => (int?)c.Id).DefaultIfEmpty().Max()),
        Any(db => db.Customers.Where(c => c.Id > 58).Select(c => c.Id).DefaultIfEmpty(7).Sum()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.SelectMany(c => c.Orders.Where(o => o.Total > 50).DefaultIfEmpty(), (c, o) => new { c.Id, Order = (long?)o!.Id }).OrderBy(x => x.Id).ThenBy(x => x.Order).ToList()),
        Any(db => db.Customers.SelectMany(c => c.Orders.OrderBy(o => o.Id).Take(1), (c, o) => new { c.Id, Order = o.Id }).OrderBy(x => x.Id).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).TakeWhile(c => c.Id < 5).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.OrderBy(c => c.Id).SkipWhile(c => c.Id < 5).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.OrderBy(c => c.Id).DistinctBy(c => c.Mood).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.OrderBy(c => c.Id).Chunk(7).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.Zip(db.Orders).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.UnionBy(db.Customers, c => c.Mood).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.IntersectBy(db.Customers.Select(c => c.Mood), c => c.Mood).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.ExceptBy(db.Customers.Select(c => c.Mood), c => c.Mood).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.Index().ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.SequenceEqual(db.Customers)).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.Shuffle().ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.CountBy(c => c.Mood).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.MinBy(c => c.Id)).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.MaxBy(c => c.Id)).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.Select(c => c.Id).Aggregate((a, b) => a + b)).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.AggregateBy(c => c.Mood, 0, (a, c) => a + c.Id).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.OrderBy(c => c.Id).SkipLast(3).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.OrderBy(c => c.Id).TakeLast(3).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.Select(c => c.Id).Append(3).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.Select(c => c.Id).Prepend(3).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Customers.OrderBy(c => c.Id).AsSingleQuery().Include(c => c.Orders.OrderBy(o => o.Id)).Take(3).ToList()),
        Any(db => db.Customers.IgnoreAutoIncludes().OrderBy(c => c.Id).Take(3).ToList()),
        Any(db => db.Customers.TagWithCallSite().OrderBy(c => c.Id).Take(3).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Select((c, i) => new { c.Id, i }).ToList()).To(RouteReason.NotTranslatable),
        Any(db => db.Orders.GroupBy(o => o.CustomerId, o => o.Total, (key, totals) => new { key, Sum = totals.Sum() }).OrderBy(x => x.key).ToList()),
        Any(db => db.Orders.GroupBy(o => new { o.CustomerId, o.Priority }).Select(g => new { g.Key.CustomerId, g.Key.Priority, n = g.Count(), d = g.Select(o => o.Note).Distinct().Count() }).OrderBy(x => x.CustomerId).ThenBy(x => x.Priority).ToList()),
        Any(db => db.Customers.Average(c => c.Parent)),
        Any(db => db.Customers.Min(c => c.OldMood)),
        Any(db => db.Customers.Count(c => c.Vip == true) + db.Orders.Count()),
        Any(db => db.Customers.OrderBy(c => c.Id).Skip(-1).Take(2).Select(c => c.Id).ToList()).Fails(),
        Any(db => db.Customers.OrderBy(c => c.Id).Take(-1).Select(c => c.Id).ToList()).Fails(),
        Any(db => db.Customers.OrderBy(c => c.Id).Skip(-Three).Take(2).Select(c => c.Id).ToList()).Fails(),
        Any(db => db.Customers.OrderBy(c => c.Id).Take(-Three).Select(c => c.Id).ToList()).Fails(),
        Any(db => db.Customers.Where(c => c.Orders.OrderBy(o => o.Id).Select(o => o.Priority).Skip(-Three).FirstOrDefault() > 1).Select(c => c.Id).ToList()).Fails(),
    ];
}
