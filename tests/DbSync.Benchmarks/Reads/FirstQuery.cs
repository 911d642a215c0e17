using System.Diagnostics;
using System.Globalization;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.Benchmarks.Reads;

/// <summary>The first query of a process, with the plug-in and without: each a fresh process that says how long it took.</summary>
internal static class FirstQuery
{
    /// <summary>What the child's command line begins with.</summary>
    public const string Child = "first-query";

    private const string ConnectionVariable = "DBSYNC_BENCH_PRIMARY";

    public static async Task AddAsync(BenchmarkReport report, BenchmarkArguments arguments, NodeUnderTest node, CancellationToken cancellationToken)
    {
        List<double> plain = [], ours = [];
        for (var round = 0; round < arguments.Rounds; round++)
        {
            plain.Add(await OfAsync(node, "plain", cancellationToken));
            ours.Add(await OfAsync(node, "routed", cancellationToken));
        }
        report.Add(new Figure("first query of a fresh process, plain Npgsql", Measure.Median(plain), "ms"));
        report.Add(new Figure("first query of a fresh process, routed", Measure.Median(ours), "ms").Beside(Sides.NpgsqlName, Measure.Median(plain)));
        report.Add(Figure.AtMost("first query of a fresh process, routed beyond plain Npgsql", Measure.Median(ours) - Measure.Median(plain), "ms", 700));
    }

    /// <summary>In the child: the first query, and the time from the start of the process to its answer, in ms.</summary>
    public static int Run(string side, string data)
    {
        var options = Sides.Options().UseNpgsql(Environment.GetEnvironmentVariable(ConnectionVariable)!);
        if (side == "routed") options.UseDbSync(data, o => o.ThrowOnFallback().WaitUpTo(TimeSpan.FromSeconds(10)));
        using (var db = new ReadsContext(options.Options)) KindOfRead.Point.Read(db, 1);
        using var self = Process.GetCurrentProcess();
        Console.WriteLine((TimeProvider.System.GetUtcNow().UtcDateTime - self.StartTime.ToUniversalTime()).TotalMilliseconds.ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    private static async Task<double> OfAsync(NodeUnderTest node, string side, CancellationToken cancellationToken)
    {
        var result = await ProcessRunner.RunAsync(
            Environment.ProcessPath!, ["exec", typeof(FirstQuery).Assembly.Location, Child, side, node.DataPath],
            new Dictionary<string, string?>(StringComparer.Ordinal) { [ConnectionVariable] = node.ConnectionString }, null, cancellationToken);
        return result.ExitCode == 0
            ? double.Parse(result.StandardOutput, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"The child failed: {result.StandardError}");
    }
}
