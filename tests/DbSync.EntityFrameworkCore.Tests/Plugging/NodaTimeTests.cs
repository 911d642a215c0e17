using DbSync.EntityFrameworkCore.Tests.Parity;
using Microsoft.EntityFrameworkCore;
using NodaTime;

namespace DbSync.EntityFrameworkCore.Tests.Plugging;

/// <summary>NodaTime's types are read, compared and sorted by the replica where their stored form is text in order; the rest is the primary's.</summary>
[Trait("Needs", "Server")]
public sealed class NodaTimeTests(Library library)
{
    private static readonly Instant Finer = Instant.FromUtc(2024, 3, 3, 23, 59, 59).PlusNanoseconds(123_456_789);

    private static Instant Third => Finer; // no readonly field, so a parameter

    private static readonly Dictionary<string, (RouteReason Route, Func<IQueryable<Visit>, object?> Run)> Queries = new(StringComparer.Ordinal)
    {
        ["whole"] = (RouteReason.PrimaryOnlyColumn, v => v.OrderBy(x => x.Id).ToList()), // it has a Duration
        ["values"] = (RouteReason.Replica, v => v.OrderBy(x => x.Id).Select(x => new { x.At, x.Day, x.Local, x.Clock }).ToList()),
        ["instant less"] = (RouteReason.Replica, v => v.Where(x => x.At < Third).OrderBy(x => x.At).Select(x => x.Id).ToList()),
        ["instant equal"] = (RouteReason.Replica, v => v.Count(x => x.At == Third)),
        ["a literal that PostgreSQL rounds"] = (RouteReason.NotAlike, v => v.Count(x => x.At < Finer)),
        ["instants"] = (RouteReason.Replica, v => v.Max(x => x.At)),
        ["date"] = (RouteReason.Replica, v => v.Where(x => x.Day >= new LocalDate(2024, 3, 1)).OrderByDescending(x => x.Day).Select(x => x.Day).ToList()),
        ["local"] = (RouteReason.Replica, v => v.Where(x => x.Local != new LocalDateTime(2024, 5, 5, 6, 5)).OrderBy(x => x.Local).Select(x => x.Local).ToList()),
        ["clock"] = (RouteReason.Replica, v => v.Where(x => x.Clock <= new LocalTime(10, 3)).OrderBy(x => x.Clock).Select(x => x.Clock).ToList()),
        ["member"] = (RouteReason.NotAlike, v => v.Select(x => x.Day.Year).Distinct().ToList()),
        ["duration"] = (RouteReason.PrimaryOnlyColumn, v => v.OrderBy(x => x.Id).Select(x => x.Span).ToList()),
    };

    public static TheoryData<string> Names => [.. Queries.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_query_over_NodaTimes_types_gives_the_same_answer(string name)
    {
        var node = await library.GetAsync();
        var (route, run) = Queries[name];
        await using var plain = new VisitContext(Options(node.ConnectionString).Options);
        await using var ours = new VisitContext(Options(node.ConnectionString).UseDbSync(node.DataPath, o => o.WaitUpTo(TimeSpan.FromSeconds(30))).Options);
        var routes = new List<RouteReason>();
        EntityFrameworkCore.Routing.RouteLog.Observer.Value = (reason, _) => routes.Add(reason);
        Text(run(ours.Visits.AsNoTracking())).ShouldBe(Text(run(plain.Visits.AsNoTracking())));
        routes.ShouldBe([route]);
    }

    private static string Text(object? value) => value is System.Collections.IEnumerable rows ? string.Join('\n', rows.Cast<object>().Select(r => r is Visit v ? v.ToString() : r.ToString())) : $"{value}";

    private static DbContextOptionsBuilder<VisitContext> Options(string connectionString) =>
        new DbContextOptionsBuilder<VisitContext>().UseNpgsql(connectionString, o => o.UseNodaTime()).UseSnakeCaseNamingConvention();
}

internal sealed class VisitContext(DbContextOptions<VisitContext> options) : DbContext(options)
{
    public DbSet<Visit> Visits => Set<Visit>();
}

internal sealed record Visit
{
    public int Id { get; init; }

    public Instant At { get; init; }

    public LocalDate Day { get; init; }

    public LocalDateTime Local { get; init; }

    public LocalTime Clock { get; init; }

    public Duration Span { get; init; }
}
