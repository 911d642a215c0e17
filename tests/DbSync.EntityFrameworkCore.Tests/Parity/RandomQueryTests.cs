using System.Linq.Expressions;
using CsCheck;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Random LINQ trees, made of parts that combine: whatever comes out, the plug-in answers as plain Npgsql does. CsCheck shrinks what fails.</summary>
[Trait("Needs", "Server")]
public sealed class RandomQueryTests(ShopFixture shop)
{
    // None that may overflow: whether PostgreSQL computes what a condition beside it makes needless is its own choice.
    private static readonly Expression<Func<Customer, bool>>[] Atoms =
    [
        c => c.Id > 20, c => c.Id % 3 == 1, c => c.Active, c => c.Vip == true, c => c.Vip != false, c => c.Parent == null, c => c.Parent > 10, c => c.Parent != c.Id,
        c => c.Name == "Ada", c => c.Nick == null, c => c.Nick != "x", c => c.Name.Contains("a"), c => c.Name.StartsWith("A"), c => c.Nick!.EndsWith("X"), c => c.Name.Length > 3,
        c => c.Name.ToLower() == "ada", c => c.Credit > 9.99m, c => c.Bonus == c.Credit, c => c.Bonus < 20, c => c.Credit + 1 > 10, c => c.Precise == 1,
        c => c.CreatedAt.Year == 2024, c => c.LastSeen == null, c => c.LastSeen!.Value.Month > 6, c => c.Mood == Mood.Happy, c => c.OldMood != Mood.Sad, c => c.OldMood > c.Mood,
        c => c.Level == Level.Gold, c => c.Rank != Level.Silver, c => c.Email == "user2@example.com", c => c.Code == "A", c => c.Score > 1, c => c.Big > 0, c => c.Birthday.Month == 6,
        c => c.Tags.Contains("Vip"), c => c.Lucky.Any(), c => c.Address.City == "City 1", c => c.Profile.Visits > 4, c => c.Orders.Any(), c => c.Orders.Count(o => o.Total > 20) > 1,
        c => Math.Abs(c.Small) > 1, c => c.Id / 7 == c.Small, c => c.Name.Substring(1) == c.Nick, c => c.Name.IndexOf(c.Nick!) > 0, c => (c.Nick + c.Name).Length > 5,
        c => c.CreatedAt.Second == 59, c => c.LastSeen!.Value.Date != c.LastSeen, c => c.Wakes > new TimeOnly(7, 0), c => c.Patience < TimeSpan.FromMinutes(5), c => c.Orders.All(o => o.Lines.Count > 0),
        c => c.Orders.OrderByDescending(o => o.Id).Select(o => o.Note).FirstOrDefault() != c.Nick, c => c.Orders.Sum(o => o.Total) > c.Bonus, c => c.Orders.SelectMany(o => o.Lines).Any(l => l.Product!.Weight > 2),
        c => new[] { c.Name, c.Nick }.Contains("ada"), c => c.Blob!.Length > 1, c => c.Ref.CompareTo(Guid.Empty) > 0 || c.Id > 3, c => (c.Active ? c.Nick : c.Name) == "x", c => c.Score * 2 >= c.Score + 1, c => -c.Credit < c.Bonus * 2,
        c => c.Orders.Any(o => o.Note == c.Name), c => (c.Nick ?? c.Name) != "ada", c => (c.Vip ?? c.Active) == c.Active, c => c.Nick!.Length * 2 > c.Parent,
    ];

    private static readonly Func<IQueryable<Customer>, IOrderedQueryable<Customer>>[] Orders =
    [
        q => q.OrderBy(c => c.Id), q => q.OrderBy(c => c.Nick).ThenBy(c => c.Id), q => q.OrderByDescending(c => c.Bonus).ThenBy(c => c.Id), q => q.OrderBy(c => c.Vip).ThenByDescending(c => c.Id),
        q => q.OrderByDescending(c => c.OldMood).ThenBy(c => c.Name).ThenBy(c => c.Id), q => q.OrderBy(c => c.LastSeen).ThenBy(c => c.Id), q => q.OrderBy(c => c.Email).ThenBy(c => c.Id), q => q.OrderBy(c => c.Orders.Count).ThenBy(c => c.Id),
    ];

    private static readonly Func<IQueryable<Customer>, object>[] Ends =
    [
        q => q.ToList(), q => q.Select(c => c.Id).ToList(), q => q.Count(), q => q.Select(c => new { c.Id, c.Nick, Sum = c.Orders.Sum(o => o.Total) }).ToList(), q => q.Sum(c => c.Bonus) ?? -1, q => q.Max(c => (DateTime?)c.LastSeen) ?? default,
        q => ParityCase.Unordered(q.GroupBy(c => c.Mood).Select(g => new { g.Key, n = g.Count(), s = g.Sum(c => c.Credit), m = g.Max(c => c.Name) })), q => ParityCase.Unordered(q.Select(c => new { c.Active, c.Level }).Distinct()),
        q => q.Join(q.SelectMany(c => c.Orders), c => c.Id, o => o.CustomerId, (c, o) => new { c.Nick, o.Id, o.Total }).OrderBy(x => x.Id).ToList(),
        q => q.SelectMany(c => c.Orders.Where(o => o.Priority > 0).DefaultIfEmpty(), (c, o) => new { c.Id, Note = o!.Note, Order = (long?)o.Id }).OrderBy(x => x.Id).ThenBy(x => x.Order).ToList(),
        q => q.Include(c => c.Orders.OrderBy(o => o.Id)).ThenInclude(o => o.Lines.OrderBy(l => l.LineNo)).ToList(),
        q => q.Include(c => c.Orders.Where(o => o.Total > 10).OrderByDescending(o => o.Id).Take(2)).AsSplitQuery().ToList(),
        q => ParityCase.Unordered(q.Select(c => c.Name).Union(q.Where(c => c.Active).Select(c => c.Nick!))), q => ParityCase.Unordered(q.Select(c => c.Parent).Except(q.Where(c => c.Vip == true).Select(c => (int?)c.Id))),
        q => ParityCase.Unordered(q.Where(c => c.Active).Concat(q.Where(c => c.Id % 2 == 0)).Select(c => new { c.Id, c.Email })), q => ParityCase.Unordered(q.Intersect(q.Where(c => c.Credit > 0)).Select(c => c.Id)),
        q => q.Select(c => new { c.Id, Last = c.Orders.OrderByDescending(o => o.PlacedAt).Select(o => o.Note).FirstOrDefault(), Top = c.Orders.Max(o => (decimal?)o.Total), Lines = c.Orders.SelectMany(o => o.Lines).Count(l => l.Quantity > 2) }).ToList(),
        q => q.Select(c => new { c.Id, Orders = c.Orders.OrderBy(o => o.Id).Select(o => new { o.Id, Lines = o.Lines.OrderBy(l => l.LineNo).Select(l => l.Product!.Name).ToList() }).ToList() }).ToList(),
        q => ParityCase.Unordered(q.SelectMany(c => c.Orders).GroupBy(o => new { o.CustomerId, o.PlacedAt.Year }).Select(g => new { g.Key, n = g.Count(), s = g.Sum(o => o.Total), m = g.Min(o => o.Note), a = g.Average(o => o.Priority) }).Where(g => g.n > 1)),
        q => q.Where(c => q.Any(x => x.Parent == c.Id)).OrderBy(c => c.Id).Select(c => new { c.Id, c.CreatedAt.Second, Part = c.Name.Substring(c.Id % 3) }).Skip(1).Take(5).ToList(),
        q => q.LeftJoin(q.SelectMany(c => c.Orders), c => c.Id, o => o.CustomerId, (c, o) => new { c.Id, o!.Note, Order = (long?)o.Id }).OrderBy(x => x.Id).ThenBy(x => x.Order).Take(20).ToList(),
        q => q.Min(c => c.Nick) ?? "none", q => q.Average(c => c.Parent) ?? -1, q => q.Select(c => c.Credit).Distinct().Count(), q => q.OrderBy(c => c.Id).LastOrDefault() ?? new object(),
        q => q.SelectMany(c => c.Orders).OrderBy(o => o.Id).Select(o => new { o.Id, o.Customer!.Name }).ToList(), q => q.All(c => c.Id < 50), q => q.Select(c => c.Nick).FirstOrDefault() ?? "nobody",
    ];

    private static readonly Gen<Expression<Func<Customer, bool>>> Atom = Gen.Int[0, Atoms.Length - 1].Select(i => Atoms[i]);

    private static readonly Gen<Expression<Func<Customer, bool>>> Predicate = Gen.Recursive<Expression<Func<Customer, bool>>>((depth, inner) => depth > 3
        ? Atom
        : Gen.Frequency((3, Atom), (2, Gen.Select(inner, inner, (a, b) => Join(a, b, Expression.AndAlso))), (2, Gen.Select(inner, inner, (a, b) => Join(a, b, Expression.OrElse))),
            (1, inner.Select(a => Expression.Lambda<Func<Customer, bool>>(Expression.Not(a.Body), a.Parameters)))));

    private static readonly Gen<(Expression<Func<Customer, bool>> Where, int Order, int Skip, int Take, int End)> Query =
        Gen.Select(Predicate, Gen.Int[0, Orders.Length - 1], Gen.Int[0, 10], Gen.Int[0, 30], Gen.Int[0, Ends.Length - 1]);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_random_query_gives_the_same_answer_over_any_number_of_shards(int shards)
    {
        var node = await shop.GetAsync(shards);
        var routed = 0;
        Query.Sample(
            query =>
            {
                object Run(ShopContext db)
                {
                    IQueryable<Customer> rows = Orders[query.Order](db.Customers.Where(query.Where));
                    if (query.Skip > 0) rows = rows.Skip(query.Skip);
                    if (query.Take > 0) rows = rows.Take(query.Take);
                    return Ends[query.End](rows);
                }
                using var plain = ShopFixture.Plain(node.ConnectionString);
                using var ours = ShopFixture.Routed(node, o => o.WaitUpTo(TimeSpan.FromSeconds(30)));
                EntityFrameworkCore.Routing.RouteLog.Observer.Value = (reason, _) => routed += reason == RouteReason.Replica ? 1 : 0;
                return Answers.Of(() => Run(ours)) == Answers.Of(() => Run(plain));
            },
            iter: Effort.Cases(shards == 1 ? 250 : 100),
            threads: 1,
            print: query => $"Where({query.Where}), order {query.Order}, Skip({query.Skip}), Take({query.Take}), end {query.End}");
        routed.ShouldBeGreaterThan(Effort.Cases(shards == 1 ? 170 : 65)); // most of them are the replica's, so that the comparison means something
    }

    private static Expression<Func<Customer, bool>> Join(Expression<Func<Customer, bool>> a, Expression<Func<Customer, bool>> b, Func<Expression, Expression, Expression> join) =>
        Expression.Lambda<Func<Customer, bool>>(join(a.Body, new Rename(b.Parameters[0], a.Parameters[0]).Visit(b.Body)), a.Parameters);

    private sealed class Rename(ParameterExpression from, ParameterExpression to) : ExpressionVisitor
    {
        protected override Expression VisitParameter(ParameterExpression node) => node == from ? to : node;
    }
}
