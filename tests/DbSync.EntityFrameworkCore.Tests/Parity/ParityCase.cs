using System.Linq.Expressions;
using System.Runtime.CompilerServices;
using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>A query, and who is expected to answer it.</summary>
internal sealed record ParityCase(string Name, RouteReason Expected, Func<ShopContext, object?> Run)
{
    /// <summary>The same query, that the primary must answer.</summary>
    public ParityCase To(RouteReason reason) => this with { Expected = reason };

    /// <summary>The replica fails on the rows where the primary does, or where only that knows; then the primary answers.</summary>
    public ParityCase Fails() => this with { FailsThere = true };

    public bool FailsThere { get; private init; }

    public static ParityCase Any(Func<ShopContext, object?> run, [CallerArgumentExpression(nameof(run))] string name = "") => new(name, RouteReason.Replica, run);

    public static ParityCase Where(Expression<Func<Customer, bool>> predicate, [CallerArgumentExpression(nameof(predicate))] string name = "") =>
        new($"Where({name})", RouteReason.Replica, db => db.Customers.Where(predicate).OrderBy(c => c.Id).Select(c => c.Id).ToList());

    public static ParityCase WhereOrder(Expression<Func<Order, bool>> predicate, [CallerArgumentExpression(nameof(predicate))] string name = "") =>
        new($"Orders.Where({name})", RouteReason.Replica, db => db.Orders.Where(predicate).OrderBy(o => o.Id).ToList());

    public static ParityCase Select<T>(Expression<Func<Customer, T>> selector, [CallerArgumentExpression(nameof(selector))] string name = "") =>
        new($"Select({name})", RouteReason.Replica, db => db.Customers.OrderBy(c => c.Id).Select(selector).ToList());

    public static ParityCase WhereSample(Expression<Func<Sample, bool>> predicate, [CallerArgumentExpression(nameof(predicate))] string name = "") =>
        new($"Samples.Where({name})", RouteReason.Replica, db => db.Samples.Where(predicate).OrderBy(s => s.Id).Select(s => s.Id).ToList());

    public static ParityCase Pick<T>(Expression<Func<Sample, T>> selector, [CallerArgumentExpression(nameof(selector))] string name = "") =>
        new($"Samples.Select({name})", RouteReason.Replica, db => db.Samples.OrderBy(s => s.Id).Select(selector).ToList());

    public static IEnumerable<ParityCase> Sort<T>(Expression<Func<Customer, T>> key, RouteReason expected = RouteReason.Replica, [CallerArgumentExpression(nameof(key))] string name = "")
    {
        yield return new($"OrderBy({name})", expected, db => db.Customers.OrderBy(key).ThenBy(c => c.Id).Select(c => c.Id).ToList());
        yield return new($"OrderByDescending({name})", expected, db => db.Customers.OrderByDescending(key).ThenByDescending(c => c.Id).Select(c => c.Id).ToList());
    }

    /// <summary>Groups come in no order: they are compared sorted.</summary>
    public static IEnumerable<ParityCase> Group<T>(Expression<Func<Customer, T>> key, RouteReason expected = RouteReason.Replica, [CallerArgumentExpression(nameof(key))] string name = "")
    {
        yield return new($"GroupBy({name}) counts", expected, db => Unordered(db.Customers.GroupBy(key).Select(g => new { g.Key, Count = g.Count(), Last = g.Max(c => c.Id) })));
        yield return new($"Distinct({name})", expected, db => Unordered(db.Customers.Select(key).Distinct()));
    }

    public static ParityCase Aggregate<T>(Expression<Func<IGrouping<bool, Customer>, T>> aggregate, [CallerArgumentExpression(nameof(aggregate))] string name = "") =>
        new($"Aggregate({name})", RouteReason.Replica, db => db.Customers.GroupBy(c => c.Active).OrderBy(g => g.Key).Select(aggregate).ToList());

    public static List<string> Unordered<T>(IQueryable<T> query) => [.. query.AsEnumerable().Select(Answers.Json).Order(StringComparer.Ordinal)];

    public override string ToString() => Name;
}
