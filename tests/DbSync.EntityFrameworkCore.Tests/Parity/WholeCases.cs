using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;
using static DbSync.EntityFrameworkCore.Tests.Parity.ParityCase;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Whole queries: single values, joins, Include trees, set operations, subqueries, paging, inheritance, filters, and what is the primary's.</summary>
internal static class WholeCases
{
    private static readonly int Five = 5;
    private static readonly long[] Ids = [1001, 1005, 1090];

    public static IEnumerable<ParityCase> All =>
    [
        // single values
        Any(db => db.Customers.Count()),
        Any(db => db.Customers.Count(c => c.Active)),
        Any(db => db.Customers.LongCount()),
        Any(db => db.Customers.Any()),
        Any(db => db.Customers.Any(c => c.Id == 500)),
        Any(db => db.Customers.All(c => c.Id > 0)),
        Any(db => db.Customers.All(c => c.Active)),
        Any(db => db.Customers.Sum(c => c.Id)),
        Any(db => db.Customers.Sum(c => c.Credit)),
        Any(db => db.Customers.Sum(c => c.Parent)),
        Any(db => db.Customers.Max(c => c.Id)),
        Any(db => db.Customers.Min(c => c.Credit)),
        Any(db => db.Customers.Max(c => c.Name)),
        Any(db => db.Customers.Max(c => c.CreatedAt)),
        Any(db => db.Customers.Average(c => c.Id)),
        Any(db => db.Customers.First(c => c.Id == 7)),
        Any(db => db.Customers.OrderBy(c => c.Id).First()),
        Any(db => db.Customers.OrderBy(c => c.Id).Last()),
        Any(db => db.Customers.FirstOrDefault(c => c.Id == 700)),
        Any(db => db.Customers.Single(c => c.Id == 7)),
        Any(db => db.Customers.SingleOrDefault(c => c.Id == 700)),
        Any(db => db.Customers.First(c => c.Id == 700)),
        Any(db => db.Customers.Single(c => c.Id > 7)),
        Any(db => db.Customers.OrderBy(c => c.Id).ElementAt(3)),
        Any(db => db.Customers.OrderBy(c => c.Id).ElementAtOrDefault(300)),
        Any(db => db.Customers.Select(c => c.Id).Contains(7)),
        Any(db => db.Customers.Where(c => c.Id > 500).Max(c => c.Id)),
        Any(db => db.Customers.Where(c => c.Id > 500).Max(c => (int?)c.Id)),
        Any(db => db.Customers.Where(c => c.Id > 500).Sum(c => c.Credit)),
        Any(db => db.Customers.Max(c => c.Nick)),

        // paging
        Any(db => db.Customers.OrderBy(c => c.Id).Take(5).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Skip(5).Take(5).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Skip(55).Select(c => c.Id).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Take(Five).Select(c => c.Id).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Take(10).OrderByDescending(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Skip(Five).Take(Five).Count()),
        Any(db => db.Customers.OrderBy(c => c.Id).Take(20).Where(c => c.Active).Select(c => c.Id).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Take(0).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Name).ThenBy(c => c.Id).Skip(10).Take(3).Select(c => c.Name).ToList()),

        // joins
        Any(db => db.Orders.OrderBy(o => o.Id).Select(o => new { o.Id, o.Customer!.Name }).ToList()),
        Any(db => db.Orders.Where(o => o.Customer!.Active).OrderBy(o => o.Id).Select(o => o.Id).ToList()),
        Any(db => db.Orders.Join(db.Customers, o => o.CustomerId, c => c.Id, (o, c) => new { o.Id, c.Name }).OrderBy(x => x.Id).ToList()),
        Any(db => db.Customers.GroupJoin(db.Orders, c => c.Id, o => o.CustomerId, (c, os) => new { c, os }).SelectMany(x => x.os.DefaultIfEmpty(), (x, o) => new { x.c.Id, Order = (long?)o!.Id }).OrderBy(x => x.Id).ThenBy(x => x.Order).ToList()),
        Any(db => db.Customers.LeftJoin(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => new { c.Id, Total = (decimal?)o!.Total, OrderId = (long?)o.Id }).OrderBy(x => x.Id).ThenBy(x => x.OrderId).ToList()),
        Any(db => db.Customers.SelectMany(c => c.Orders, (c, o) => new { c.Name, o.Id }).OrderBy(x => x.Id).ToList()),
        Any(db => (from o in db.Orders join l in db.Lines on o.Id equals l.OrderId where l.Quantity > 2 orderby o.Id, l.LineNo select new { o.Id, l.LineNo, l.Price }).ToList()),
        Any(db => (from c in db.Categories from p in c.Products orderby c.Id, p.Id select new { Category = c.Name, Product = p.Name }).ToList()),
        Any(db => db.Customers.Join(db.Customers, a => a.Id, b => b.Parent, (a, b) => new { A = a.Id, B = b.Id }).OrderBy(x => x.A).ThenBy(x => x.B).ToList()),
        Any(db => db.Lines.OrderBy(l => l.OrderId).ThenBy(l => l.LineNo).Select(l => new { l.Order!.Customer!.Name, Product = l.Product!.Name, Amount = l.Price * 2 }).ToList()),
        Any(db => (from a in db.Categories from b in db.Categories where a.Id < b.Id orderby a.Id, b.Id select new { A = a.Id, B = b.Id }).ToList()),
        Any(db => db.Customers.Join(db.Products, c => c.Name, p => p.Name, (c, p) => new { c.Id, ProductId = p.Id }).OrderBy(x => x.Id).ThenBy(x => x.ProductId).ToList()),

        // Include
        Any(db => db.Customers.Include(c => c.Orders.OrderBy(o => o.Id)).OrderBy(c => c.Id).ToList()),
        Any(db => db.Customers.Include(c => c.Orders.OrderBy(o => o.Id)).ThenInclude(o => o.Lines.OrderBy(l => l.LineNo)).OrderBy(c => c.Id).Take(10).ToList()),
        Any(db => db.Customers.Include(c => c.Orders.OrderBy(o => o.Id)).AsSplitQuery().OrderBy(c => c.Id).ToList()),
        Any(db => db.Customers.Include(c => c.Orders.OrderBy(o => o.Id)).ThenInclude(o => o.Lines.OrderBy(l => l.LineNo)).AsSplitQuery().OrderBy(c => c.Id).Take(10).ToList()),
        Any(db => db.Customers.Include(c => c.Orders.Where(o => o.Total > 20).OrderByDescending(o => o.Id).Take(2)).OrderBy(c => c.Id).ToList()),
        Any(db => db.Orders.Include(o => o.Customer).OrderBy(o => o.Id).ToList()),
        Any(db => db.Orders.Include(o => o.Customer).Include(o => o.Lines.OrderBy(l => l.LineNo)).ThenInclude(l => l.Product).OrderBy(o => o.Id).Take(20).ToList()),
        Any(db => db.Products.Include(p => p.Categories.OrderBy(c => c.Id)).OrderBy(p => p.Id).ToList()),
        Any(db => db.Categories.Include(c => c.Children.OrderBy(x => x.Id)).OrderBy(c => c.Id).ToList()),
        Any(db => db.Categories.Include(c => c.Parent!.Parent).OrderBy(c => c.Id).ToList()),
        Any(db => db.Orders.AsNoTrackingWithIdentityResolution().Include(o => o.Customer).OrderBy(o => o.Id).ToList()),
        Any(db => db.Products.Include(p => p.Categories).AsSplitQuery().OrderBy(p => p.Id).Select(p => new { p.Id, p.Categories.Count }).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Select(c => new { c.Id, Orders = c.Orders.OrderBy(o => o.Id).ToList() }).AsSplitQuery().ToList()),
        Any(db => db.Customers.Include(c => c.Orders.OrderBy(o => o.Id)).Single(c => c.Id == 8)),

        // set operations
        Any(db => Unordered(db.Customers.Select(c => c.Name).Union(db.Products.Select(p => p.Name)))),
        Any(db => Unordered(db.Customers.Select(c => c.Name).Concat(db.Products.Select(p => p.Name)))),
        Any(db => Unordered(db.Customers.Select(c => c.Name).Intersect(db.Products.Select(p => p.Name)))),
        Any(db => Unordered(db.Customers.Select(c => c.Name).Except(db.Products.Select(p => p.Name)))),
        Any(db => Unordered(db.Customers.Where(c => c.Active).Union(db.Customers.Where(c => c.Id < 9)).Select(c => c.Id))),
        Any(db => Unordered(db.Customers.Where(c => c.Active).Intersect(db.Customers.Where(c => c.Id < 9)).Select(c => c.Id))),
        Any(db => Unordered(db.Customers.Where(c => c.Active).Except(db.Customers.Where(c => c.Id < 9)).Select(c => c.Id))),
        Any(db => Unordered(db.Orders.Where(o => o.Priority > 1).Union(db.Orders.Where(o => o.Total > 20)))),
        Any(db => Unordered(db.Lines.Select(l => l.Order!).Distinct())),
        Any(db => Unordered(db.Orders.Select(o => new { o.Id, o.Total, o.Customer!.Credit }).Distinct())),
        Any(db => Unordered(db.Orders.Select(o => new { o.Id, o.Total, o.Customer!.Precise }).Distinct())).To(RouteReason.NotAlike),
        Any(db => Unordered(db.Customers.Select(c => c.Credit).Union(db.Orders.Select(o => o.Total)))).To(RouteReason.NotAlike),
        Any(db => Unordered(db.Customers.Select(c => c.Id).Union(db.Products.Select(p => p.Id)))),
        Any(db => Unordered(db.Customers.Select(c => c.Email).Union(db.Customers.Select(c => c.Email)))).To(RouteReason.NotAlike),
        Any(db => db.Customers.Select(c => c.Id).Concat(db.Products.Select(p => p.Id)).OrderBy(i => i).ToList()),
        Any(db => Unordered(db.Orders.Where(o => o.Total > 50).Concat(db.Orders.Where(o => o.Priority == 3)))),
        Any(db => db.Customers.Where(c => c.Active).Select(c => new { c.Id, c.Name }).Union(db.Customers.Where(c => c.Id < 5).Select(c => new { c.Id, c.Name })).OrderBy(x => x.Id).ToList()),
        Any(db => db.Customers.Select(c => c.Mood).Distinct().Count()),
        Any(db => db.Customers.Select(c => c.Mood).Distinct().OrderBy(m => m).ToList()),
        Any(db => db.Customers.Select(c => new { c.Name, c.Level }).Distinct().OrderBy(x => x.Name).ThenBy(x => x.Level).ToList()),
        Any(db => db.Customers.Select(c => c.Name).Distinct().OrderBy(n => n).Take(4).ToList()),

        // subqueries
        Any(db => db.Customers.Where(c => c.Orders.Any(o => o.Total > 100)).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => c.Orders.All(o => o.Total > 0)).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => c.Orders.Count > 2).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => c.Orders.Sum(o => o.Total) > 100).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => db.Orders.Any(o => o.CustomerId == c.Id && o.Priority > 2)).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => db.Orders.Select(o => o.CustomerId).Contains(c.Id)).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => !db.Orders.Select(o => o.CustomerId).Contains(c.Id)).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Orders.Where(o => o.Id == db.Orders.Max(x => x.Id)).ToList()),
        Any(db => db.Orders.Where(o => Ids.Contains(o.Id)).OrderBy(o => o.Id).ToList()),
        Any(db => db.Orders.Where(o => o.Total == db.Orders.Max(x => x.Total)).OrderBy(o => o.Id).Select(o => o.Id).ToList()),
        Any(db => db.Customers.Where(c => c.Orders.OrderByDescending(o => o.PlacedAt).First().Priority > 1).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => c.Name == db.Products.OrderBy(p => p.Id).First().Name).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => db.Products.Any(p => p.Name.StartsWith(c.Name))).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Select(c => new { c.Id, Rank = db.Customers.Count(x => x.Credit > c.Credit) }).OrderBy(x => x.Id).ToList()),
        Any(db => db.Customers.Where(c => c.Parent != null && db.Customers.First(p => p.Id == c.Parent).Active).OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Products.Where(p => p.Categories.Any(c => c.Name == "Category 3")).OrderBy(p => p.Id).ToList()),
        Any(db => db.Categories.Where(c => c.Products.Count(p => p.Weight > 2) > 1).OrderBy(c => c.Id).ToList()),

        // inheritance, filters, shared types
        Any(db => db.Animals.OrderBy(a => a.Id).ToList().ConvertAll(a => (object)a)),
        Any(db => db.Animals.OfType<Dog>().OrderBy(d => d.Id).ToList()),
        Any(db => db.Animals.Where(a => a is Cat).OrderBy(a => a.Id).Select(a => a.Name).ToList()),
        Any(db => db.Animals.OrderBy(a => a.Id).Select(a => a is Dog ? ((Dog)a).Barks : 0).ToList()),
        Any(db => db.Set<Dog>().Sum(d => d.Barks)),
        Any(db => db.Vehicles.OrderBy(v => v.Id).ToList().ConvertAll(v => (object)v)),
        Any(db => db.Set<Car>().OrderBy(c => c.Id).ToList()),
        Any(db => db.Vehicles.OfType<Car>().Where(c => c.Doors > 2).OrderBy(c => c.Id).ToList()),
        Any(db => db.Figures.OrderBy(f => f.Id).ToList().ConvertAll(f => (object)f)),
        Any(db => db.Figures.OfType<Circle>().OrderBy(c => c.Id).ToList()),
        Any(db => db.Documents.OrderBy(d => d.Id).ToList()),
        Any(db => db.Documents.IgnoreQueryFilters().OrderBy(d => d.Id).ToList()),
        Any(db => db.Documents.Count()),
        Any(db => Tenant(db, 2).Documents.OrderBy(d => d.Id).ToList()),
        Any(db => db.Set<Dictionary<string, object>>("CategoryProduct").Count()),
        Any(db => db.Customers.TagWith("a tag").Where(c => c.Id == 4).ToList()),
        Any(db => db.Customers.Where(c => EF.Property<string>(c, "Name") == "Ada").OrderBy(c => c.Id).Select(c => c.Id).ToList()),
        Any(db => db.Customers.OrderBy(c => EF.Property<object>(c, "Id")).Select(c => c.Id).ToList()),
        Any(db => db.Customers.Where(c => c.Id == EF.Constant(4)).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).AsEnumerable().Where(c => c.Name.Normalize().Length > 3).Select(c => c.Id).ToList()),
        Any(db => db.Customers.OrderBy(c => c.Id).Select(c => c.Name).ToArray()),
        Any(db => db.Customers.OrderBy(c => c.Id).ToDictionary(c => c.Id, c => c.Name)),
        Any(db => db.Customers.Select(c => c.Id).ToHashSet().Count),

        // the primary's
        Any(db => db.Customers.AsTracking().OrderBy(c => c.Id).ToList()).To(RouteReason.Tracking),
        Any(db => db.Customers.AsTracking().Select(c => c.Id).OrderBy(i => i).ToList()),
        Any(db => db.Customers.AsTracking().OrderBy(c => c.Id).Select(c => new { c.Id, Inner = c }).ToList()).To(RouteReason.Tracking),
        Any(db => db.Customers.UsePrimary().Count()).To(RouteReason.UsePrimary),
        Any(db => db.Customers.OrderBy(c => c.Id).UsePrimary().ToList()).To(RouteReason.UsePrimary),
        Any(db => db.Customers.FromSql($"SELECT * FROM \"Customers\" WHERE \"Id\" = 3").ToList()).To(RouteReason.Statement),
        Any(db => db.Database.SqlQuery<int>($"SELECT 1 AS \"Value\"").Single()).To(RouteReason.Statement),
        Any(db => db.Unpublished.ToList()).To(RouteReason.NotReplicated),
        Any(db => db.Customers.Where(c => EF.Functions.ILike(c.Name, "A%")).OrderBy(c => c.Id).Select(c => c.Id).ToList()).To(RouteReason.NotAlike),
        Any(db => db.Customers.Where(c => EF.Functions.Collate(c.Name, "C") == "Ada").Count()).To(RouteReason.NotAlike),
        Any(db => db.Customers.Count(c => System.Text.RegularExpressions.Regex.IsMatch(c.Name, "^A"))).To(RouteReason.NotAlike),
    ];

    private static ShopContext Tenant(ShopContext db, int tenant)
    {
        db.Tenant = tenant;
        return db;
    }
}
