using Microsoft.EntityFrameworkCore;

namespace DbSync.Benchmarks.Reads;

/// <summary>Each read by one thread and by two, a context each: how many a second.</summary>
internal static class Throughput
{
    public static void Add(BenchmarkReport report, BenchmarkArguments arguments, Sides sides)
    {
        foreach (var read in KindOfRead.All.Where(r => r != KindOfRead.Awaited)) Add(report, arguments, sides, read, read);
        Add(report, arguments, sides, KindOfRead.Compiled(), KindOfRead.Compiled());
    }

    private static void Add(BenchmarkReport report, BenchmarkArguments arguments, Sides sides, KindOfRead readTheirs, KindOfRead readOurs)
    {
        foreach (var threads in new[] { 1, 2 })
        {
            List<double> theirs = [], ours = [];
            for (var round = -1; round < arguments.Rounds; round++)
            {
                var rounds = (Theirs: Of(sides.Npgsql, threads, readTheirs), Ours: Of(sides.Routed, threads, readOurs));
                if (round < 0) continue;
                theirs.Add(rounds.Theirs);
                ours.Add(rounds.Ours);
            }
            var figure = new Figure($"{readOurs.Name}, {(threads == 1 ? "1 thread" : $"{threads} threads")}, routed", Measure.Median(ours), "1/s").Beside(Sides.NpgsqlName, Measure.Median(theirs));
            report.Add(readOurs.Name.StartsWith(KindOfRead.Point.Name, StringComparison.Ordinal) ? figure with { Goal = ">= 8 x", Met = figure.Ratio >= 8 } : figure);
        }
    }

    private static double Of(DbContextOptions<ReadsContext> options, int threads, KindOfRead read)
    {
        var each = read.Count * 2;
        var time = Measure.Time(() =>
        {
            var running = Enumerable.Range(0, threads).Select(_ => new Thread(() =>
            {
                using var db = new ReadsContext(options);
                for (var i = 0; i < each; i++) read.Read(db, i);
            })).ToList();
            running.ForEach(t => t.Start());
            running.ForEach(t => t.Join());
        });
        return threads * each / (time / 1e6);
    }
}
