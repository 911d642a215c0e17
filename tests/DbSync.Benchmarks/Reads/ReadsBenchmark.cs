using System.Diagnostics;
using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace DbSync.Benchmarks.Reads;

/// <summary>
/// EF Core reads by the replica, beside the same reads by plain Npgsql over TCP loopback and by a plain SQLite context on the same file that keeps
/// its connection open. Rounds are interleaved; each figure is the median of the rounds.
/// </summary>
internal static class ReadsBenchmark
{
    private const string Npgsql = "Npgsql over loopback";
    private const string Sqlite = "a plain SQLite context";

    private static readonly (string Name, int Count, Action<ReadsContext, int> Read)[] Reads =
    [
        ("point read", 2000, static (db, i) => { var id = 1 + (i * 7919 % 100_000); _ = db.Parents.Single(p => p.Id == id); }),
        ("filtered list of 50", 400, static (db, i) => { var group = i % 2000; _ = db.Parents.Where(p => p.Group == group).ToList(); }),
        ("Include of 10 parents with children", 300, static (db, i) => { var from = 1 + (i * 10 % 9000); _ = db.Parents.Include(p => p.Children).Where(p => p.Id >= from && p.Id < from + 10).ToList(); }),
        ("sum and maximum over 100,000 rows", 10, static (db, i) => _ = db.Parents.GroupBy(p => 1).Select(g => new { Sum = g.Sum(p => p.Value), Max = g.Max(p => p.Group) }).Single()),
    ];

    public static async Task<BenchmarkReport> RunAsync(BenchmarkArguments arguments, CancellationToken cancellationToken)
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: cancellationToken);
        await using var node = await NodeUnderTest.CreateAsync(
            await server.CreateDatabaseAsync(cancellationToken: cancellationToken), ReadsContext.Schema, "parent, child", cancellationToken);
        node.Run();
        await node.CatchUpAsync();
        using var open = Replica.OpenRead(node.DataPath);
        var report = new BenchmarkReport(
            "reads", TimeProvider.System.GetUtcNow(), new Dictionary<string, string>(StringComparer.Ordinal) { ["PostgreSQL"] = server.Version.ToString(), ["EF Core"] = ProductInfo.GetVersion() });

        var npgsql = Options().UseNpgsql(node.ConnectionString).Options;
        var sqlite = Options().UseSqlite(open).Options;
        var routed = Options().UseNpgsql(node.ConnectionString).UseDbSync(node.DataPath, o => o.ThrowOnFallback().WaitUpTo(TimeSpan.FromSeconds(10))).Options;
        AddFirstQuery(report, npgsql, routed);
        foreach (var read in Reads) AddReused(report, arguments, read, npgsql, sqlite, routed);
        AddContexts(report, arguments, sqlite, routed);
        AddThreads(report, arguments, npgsql, routed);
        return report;
    }

    private static DbContextOptionsBuilder<ReadsContext> Options() =>
        new DbContextOptionsBuilder<ReadsContext>().UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking);

    private static void AddFirstQuery(BenchmarkReport report, DbContextOptions<ReadsContext> npgsql, DbContextOptions<ReadsContext> routed)
    {
        var plain = Time(() => { using var db = new ReadsContext(npgsql); Reads[0].Read(db, 1); });
        var ours = Time(() => { using var db = new ReadsContext(routed); Reads[0].Read(db, 1); });
        report.Add(new Figure("first query of a process, plain Npgsql", plain / 1000, "ms"));
        report.Add(Figure.AtMost("first routed query after it", ours / 1000, "ms", 700));
    }

    private static void AddReused(
        BenchmarkReport report, BenchmarkArguments arguments, (string Name, int Count, Action<ReadsContext, int> Read) read,
        DbContextOptions<ReadsContext> npgsql, DbContextOptions<ReadsContext> sqlite, DbContextOptions<ReadsContext> routed)
    {
        using var a = new ReadsContext(npgsql);
        using var b = new ReadsContext(sqlite);
        using var c = new ReadsContext(routed);
        var times = new[] { a, b, c }.Select(db => (Db: db, Rounds: new List<double>(), Bytes: new List<double>())).ToArray();
        foreach (var (db, _, _) in times) Warm(() => { for (var i = 0; i < read.Count; i++) read.Read(db, i); });
        for (var round = 0; round < arguments.Rounds; round++)
            foreach (var (db, rounds, bytes) in times)
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                var each = Time(() => { for (var i = 0; i < read.Count; i++) read.Read(db, i); }) / read.Count;
                rounds.Add(each);
                bytes.Add((GC.GetAllocatedBytesForCurrentThread() - before) / (double)read.Count);
            }
        var (theirs, floor, ours) = (Median(times[0].Rounds), Median(times[1].Rounds), Median(times[2].Rounds));
        report.Add(new Figure($"{read.Name}, plain Npgsql", theirs, "us"));
        report.Add(new Figure($"{read.Name}, plain SQLite", floor, "us"));
        var figure = new Figure($"{read.Name}, routed", ours, "us").Beside(Sqlite, floor);
        report.Add(read.Name == "point read" ? figure with { Goal = "<= 1.15 x", Met = figure.Ratio <= 1.15 } : figure);
        report.Add(new Figure($"{read.Name}, routed", ours, "us").Beside(Npgsql, theirs));
        report.Add(Figure.AtMost($"{read.Name}, allocated beyond plain SQLite", Median(times[2].Bytes) - Median(times[1].Bytes), "bytes", 1024));
    }

    private static void AddContexts(BenchmarkReport report, BenchmarkArguments arguments, DbContextOptions<ReadsContext> sqlite, DbContextOptions<ReadsContext> routed)
    {
        var (pooledFloor, pooledOurs) = (new PooledFactory(sqlite), new PooledFactory(routed));
        List<double> newFloor = [], newOurs = [], floor = [], ours = [];
        for (var round = -1; round < arguments.Rounds; round++)
        {
            var results = new[] { floor, ours, newFloor, newOurs };
            Func<ReadsContext>[] open = [pooledFloor.Rent, pooledOurs.Rent, () => new ReadsContext(sqlite), () => new ReadsContext(routed)];
            for (var kind = 0; kind < open.Length; kind++)
            {
                var each = Time(() => { for (var i = 0; i < 500; i++) { using var db = open[kind](); Reads[0].Read(db, i); } }) / 500;
                if (round >= 0) results[kind].Add(each);
            }
        }
        var pooled = new Figure("point read, pooled context, routed", Median(ours), "us").Beside(Sqlite, Median(floor));
        report.Add(pooled with { Goal = "<= 1.5 x", Met = pooled.Ratio <= 1.5 });
        report.Add(new Figure("point read, new context, routed", Median(newOurs), "us").Beside(Sqlite, Median(newFloor)));
    }

    private static void AddThreads(BenchmarkReport report, BenchmarkArguments arguments, DbContextOptions<ReadsContext> npgsql, DbContextOptions<ReadsContext> routed)
    {
        foreach (var isCompiled in new[] { false, true })
        {
            var (readTheirs, readOurs) = isCompiled ? (CompiledRead(), CompiledRead()) : (Reads[0].Read, Reads[0].Read);
            foreach (var threads in new[] { 1, 2 })
            {
                List<double> theirs = [], ours = [];
                for (var round = -1; round < arguments.Rounds; round++)
                {
                    var rounds = (Theirs: Throughput(npgsql, threads, readTheirs), Ours: Throughput(routed, threads, readOurs));
                    if (round < 0) continue;
                    theirs.Add(rounds.Theirs);
                    ours.Add(rounds.Ours);
                }
                var figure = new Figure($"point reads a second, {threads} threads{(isCompiled ? ", compiled query" : "")}, routed", Median(ours), "1/s").Beside(Npgsql, Median(theirs));
                report.Add(figure with { Goal = ">= 8 x", Met = figure.Ratio >= 8 });
            }
        }
    }

    /// <summary>The point read as a compiled query; one belongs to one model.</summary>
    private static Action<ReadsContext, int> CompiledRead()
    {
        var query = EF.CompileQuery((ReadsContext db, int id) => db.Parents.Single(p => p.Id == id));
        return (db, i) => _ = query(db, 1 + (i * 7919 % 100_000));
    }

    private static double Throughput(DbContextOptions<ReadsContext> options, int threads, Action<ReadsContext, int> read)
    {
        const int Each = 5000;
        var time = Time(() =>
        {
            var running = Enumerable.Range(0, threads).Select(_ => new Thread(() =>
            {
                using var db = new ReadsContext(options);
                for (var i = 0; i < Each; i++) read(db, i);
            })).ToList();
            running.ForEach(t => t.Start());
            running.ForEach(t => t.Join());
        });
        return threads * Each / (time / 1e6);
    }

    /// <summary>Until what is read often is compiled as well as it will be.</summary>
    private static void Warm(Action action)
    {
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(2);) action();
    }

    private static double Time(Action action)
    {
        var started = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private sealed class PooledFactory(DbContextOptions<ReadsContext> options)
    {
        private readonly PooledDbContextFactory<ReadsContext> _factory = new(options);

        public ReadsContext Rent() => _factory.CreateDbContext();
    }
}
