using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace DbSync.Benchmarks.Reads;

/// <summary>Each read in a context that is kept, in one of a pool, and in a new one: what it takes and what it allocates.</summary>
internal static class ContextReuse
{
    public static void Add(BenchmarkReport report, BenchmarkArguments arguments, Sides sides)
    {
        foreach (var read in KindOfRead.All)
        {
            Add(report, arguments, sides, read, "reused context", Kept, most: read == KindOfRead.Point ? 1.15 : null);
            Add(report, arguments, sides, read, "pooled context", Pooled, most: read == KindOfRead.Point ? 1.5 : null);
            Add(report, arguments, sides, read, "new context", New, most: null);
        }
    }

    private static void Add(
        BenchmarkReport report, BenchmarkArguments arguments, Sides sides, KindOfRead read, string context, Func<DbContextOptions<ReadsContext>, KindOfRead, Contexts> reuse, double? most)
    {
        using var npgsql = reuse(sides.Npgsql, read);
        using var sqlite = reuse(sides.Sqlite, read);
        using var routed = reuse(sides.Routed, read);
        var turns = new[] { npgsql, sqlite, routed }.Select(c => (Contexts: c, Times: new List<double>(), Bytes: new List<double>())).ToArray();
        foreach (var (contexts, _, _) in turns) Measure.Warm(() => contexts.Run(read.Count), TimeSpan.FromSeconds(1));
        for (var round = 0; round < arguments.Rounds; round++)
            foreach (var (contexts, times, bytes) in turns)
                bytes.Add(Measure.Allocated(() => times.Add(Measure.Time(() => contexts.Run(read.Count)) / read.Count)) / read.Count);
        var (theirs, floor, ours) = (Measure.Median(turns[0].Times), Measure.Median(turns[1].Times), Measure.Median(turns[2].Times));
        report.Add(new Figure($"{read.Name}, {context}, plain Npgsql", theirs, "us"));
        report.Add(new Figure($"{read.Name}, {context}, plain SQLite", floor, "us"));
        var figure = new Figure($"{read.Name}, {context}, routed", ours, "us").Beside(Sides.SqliteName, floor);
        report.Add(most is { } limit ? figure with { Goal = $"<= {limit} x", Met = figure.Ratio <= limit } : figure);
        report.Add(new Figure($"{read.Name}, {context}, routed beside Npgsql", ours, "us").Beside(Sides.NpgsqlName, theirs));
        // A new context makes its services anew, of two providers: that is shown, and no read's.
        var allocated = Measure.Median(turns[2].Bytes) - Measure.Median(turns[1].Bytes);
        var name = $"{read.Name}, {context}, allocated beyond plain SQLite";
        report.Add(context == "new context" ? new Figure(name, allocated, "bytes") : Figure.AtMost(name, allocated, "bytes", 1024));
    }

    private static Contexts Kept(DbContextOptions<ReadsContext> options, KindOfRead read)
    {
        var db = new ReadsContext(options);
        return new Contexts(i => read.Read(db, i), db);
    }

    private static Contexts Pooled(DbContextOptions<ReadsContext> options, KindOfRead read)
    {
        var factory = new PooledDbContextFactory<ReadsContext>(options);
        return new Contexts(i => { using var db = factory.CreateDbContext(); read.Read(db, i); });
    }

    private static Contexts New(DbContextOptions<ReadsContext> options, KindOfRead read) =>
        new(i => { using var db = new ReadsContext(options); read.Read(db, i); });

    private sealed class Contexts(Action<int> read, IDisposable? kept = null) : IDisposable
    {
        public void Run(int count)
        {
            for (var i = 0; i < count; i++) read(i);
        }

        public void Dispose() => kept?.Dispose();
    }
}
