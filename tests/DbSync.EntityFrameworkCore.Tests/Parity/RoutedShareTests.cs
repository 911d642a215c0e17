using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>
/// How much of what EF Core's own SQLite provider answers rightly the plug-in routes. The same rows are saved into a SQLite database by that provider,
/// and every case of the parity suite is asked of it and of Npgsql. Who answers through the plug-in is what <see cref="ParityTests"/> asserts.
/// </summary>
[Trait("Needs", "Server")]
public sealed class RoutedShareTests(ShopFixture shop)
{
    private const double Goal = 0.95;

    [Fact]
    public async Task Of_the_shapes_that_SQLite_answers_rightly_nearly_all_are_routed()
    {
        var node = await shop.GetAsync();
        using var directory = new TemporaryDirectory();
        await using var file = new SqliteConnection($"Data Source={directory["plain.db"]}");
        await file.OpenAsync(TestContext.Current.CancellationToken);
        await using (var empty = Sqlite(file))
        {
            await empty.Database.EnsureCreatedAsync(TestContext.Current.CancellationToken);
            await ShopData.SeedAsync(empty);
        }

        var shapes = new Dictionary<string, (bool IsRight, bool IsRouted, string Name)>(StringComparer.Ordinal);
        foreach (var query in ParityTests.All)
        {
            if (query.Expected is RouteReason.UsePrimary or RouteReason.Statement or RouteReason.Tracking or RouteReason.NotReplicated or RouteReason.PrimaryOnlyColumn) continue; // the primary's by rule, whatever SQLite could
            var expected = ParityTests.Expected(query, node.ConnectionString);
            if (expected.StartsWith("throws ", StringComparison.Ordinal)) continue;
            var recorder = new ShapeKey.Recorder();
            await using var sqlite = Sqlite(file, recorder);
            var isRight = Answers.Of(() => query.Run(sqlite)) == expected;
            if (recorder.Keys.Count == 0) continue; // the very query of an earlier case
            var key = string.Join(';', recorder.Keys.Distinct(StringComparer.Ordinal));
            var (isRouted, name) = (query.Expected == RouteReason.Replica, query.Name);
            shapes[key] = shapes.TryGetValue(key, out var known) ? (known.IsRight && isRight, known.IsRouted && isRouted, isRouted ? known.Name : name) : (isRight, isRouted, name);
        }
        var right = shapes.Values.Where(s => s.IsRight).ToList();
        var routed = right.Count(s => s.IsRouted);
        var alone = shapes.Values.Count(s => !s.IsRight && s.IsRouted);
        var text = $"{routed} of the {right.Count} shapes that EF Core's SQLite provider answers rightly are routed ({(double)routed / right.Count:P1}), and {alone} that it doesn't; not routed:\n"
            + string.Join('\n', right.Where(s => !s.IsRouted).Select(s => s.Name));
        TestContext.Current.SendDiagnosticMessage(text);
        ((double)routed / right.Count).ShouldBeGreaterThanOrEqualTo(Goal, text);
    }

    private static ShopContext Sqlite(SqliteConnection file, params IInterceptor[] interceptors) => new(new DbContextOptionsBuilder<ShopContext>().OfManyKinds()
        .UseSqlite(file).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).AddInterceptors(interceptors).Options);
}
