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
        var sides = new Sides(
            Sides.Options().UseNpgsql(node.ConnectionString).Options,
            Sides.Options().UseSqlite(open).Options,
            Sides.Options().UseNpgsql(node.ConnectionString).UseDbSync(node.DataPath, o => o.ThrowOnFallback().WaitUpTo(TimeSpan.FromSeconds(10))).Options);

        await FirstQuery.AddAsync(report, arguments, node, cancellationToken);
        ContextReuse.Add(report, arguments, sides);
        Throughput.Add(report, arguments, sides);
        await WriterCost.AddAsync(report, node, cancellationToken);
        return report;
    }
}
