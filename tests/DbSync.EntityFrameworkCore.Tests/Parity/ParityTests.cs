using System.Collections.Concurrent;
using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query.Internal;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Every query gives through the plug-in what plain Npgsql gives, and takes the route that is expected of it.</summary>
[Trait("Needs", "Server")]
public sealed class ParityTests(ShopFixture shop)
{
    private static readonly Dictionary<string, ParityCase> Cases =
        new[] { PredicateCases.All, ProjectionCases.All, OrderAndGroupCases.All, WholeCases.All, MemberCases.All, TemporalCases.All, TypeCases.All, EdgeCases.All }.SelectMany(c => c).DistinctBy(c => c.Name).ToDictionary(c => c.Name, StringComparer.Ordinal);

    private static readonly ConcurrentDictionary<string, string> Known = new(StringComparer.Ordinal);

    public static TheoryData<string> Names => [.. Cases.Keys];

    /// <summary>Every case once.</summary>
    internal static IReadOnlyCollection<ParityCase> All => Cases.Values;

    /// <summary>What plain Npgsql answers.</summary>
    internal static string Expected(ParityCase query, string connectionString) => Known.GetOrAdd(query.Name, _ =>
    {
        using var plain = ShopFixture.Plain(connectionString);
        return Answers.Of(() => query.Run(plain));
    });

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_query_gives_the_same_answer_by_the_expected_route(string name)
    {
        var node = await shop.GetAsync();
        var query = Cases[name];
        var expected = Expected(query, node.ConnectionString);

        var async = name.Sum(letter => letter) % 2 == 0; // every other one is awaited
        for (var round = 0; round < 2; round++) // cold, then with everything compiled
        {
            var routes = new List<RouteReason>();
            await using var routed = ShopFixture.Routed(node, o => o.WaitUpTo(TimeSpan.FromSeconds(30)), o => async ? o.ReplaceService<IQueryCompiler, AsyncQueries>() : o);
            RouteLog.Observer.Value = (reason, _) => routes.Add(reason);
            Answers.Of(() => query.Run(routed)).ShouldBe(expected);
            routes.ShouldNotBeEmpty();
            routes.Distinct().ShouldBe(query.FailsThere ? [query.Expected, RouteReason.Failed] : [query.Expected]);
        }
    }

    [Fact]
    public async Task Over_three_shards_queries_give_the_same_answer_by_the_same_route()
    {
        var node = await shop.GetAsync(shards: 3);
        foreach (var query in Cases.Values.Where((_, place) => place % 5 == 0)) // a sample: what differs is below the query
        {
            string expected;
            await using (var plain = ShopFixture.Plain(node.ConnectionString)) expected = Answers.Of(() => query.Run(plain));
            var routes = new List<RouteReason>();
            await using var routed = ShopFixture.Routed(node, o => o.WaitUpTo(TimeSpan.FromSeconds(30)));
            RouteLog.Observer.Value = (reason, _) => routes.Add(reason);
            Answers.Of(() => query.Run(routed)).ShouldBe(expected, query.Name);
            routes.Distinct().First().ShouldBe(query.Expected, query.Name);
        }
    }
}
