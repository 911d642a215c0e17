using System.Globalization;
using DbSync.Testing;

namespace DbSync.Benchmarks.Replication;

/// <summary>
/// The most memory that is ever resident in the tool itself, in processes of its own: one copies and then applies one transaction of a
/// million rows as it comes, one finds a million rows of backlog.
/// </summary>
internal static class MemoryBenchmark
{
    private const string Database = "memory";
    private const double GoalMib = 200;

    public static async Task RunAsync(Clusters clusters, ReplicationOptions options, BenchmarkReport report, CancellationToken cancellationToken)
    {
        var rows = options.Rows(1_000_000);
        await clusters.CreateDatabaseAsync(Database, Workload.Everything, cancellationToken);
        var primary = clusters.Primary.ConnectionStringFor(Database);
        foreach (var sql in new[] { Workload.OrderRows, Workload.Writers, Workload.FillOrders(rows) }) await Clusters.RunAsync(primary, sql, cancellationToken);
        using var directory = new TemporaryDirectory();
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["DBSYNC_PRIMARY"] = primary, ["DBSYNC_DATA"] = directory.Path };
        var init = await DbSyncTool.RunAsync(["init"], environment, cancellationToken: cancellationToken);
        if (init.ExitCode != 0) throw new InvalidOperationException(init.StandardError);

        await using (var tool = DbSyncTool.Start(["run"], environment))
        {
            ReplicationBenchmark.Say($"memory: copying {rows:#,0} rows");
            await UntilAsync(directory.Path, tool, rows, cancellationToken);
            report.Add(Figure.AtMost("initial copy, peak memory of the tool", ProcessMeter.PeakMemoryMib(tool.ProcessId), "MiB", GoalMib));
            ReplicationBenchmark.Say($"memory: one transaction of {rows:#,0} rows");
            await WriteAsync(primary, rows + 1, rows, rows, cancellationToken);
            await UntilAsync(directory.Path, tool, 2 * rows, cancellationToken);
            report.Add(Figure.AtMost("one transaction of any size, peak memory of the tool", ProcessMeter.PeakMemoryMib(tool.ProcessId), "MiB", GoalMib));
            await StopAsync(tool);
        }
        ReplicationBenchmark.Say($"memory: a backlog of {rows:#,0} rows");
        await WriteAsync(primary, (2 * rows) + 1, rows, 1000, cancellationToken);
        await using (var tool = DbSyncTool.Start(["run"], environment))
        {
            await UntilAsync(directory.Path, tool, 3 * rows, cancellationToken);
            report.Add(Figure.AtMost("drain, peak memory of the tool", ProcessMeter.PeakMemoryMib(tool.ProcessId), "MiB", GoalMib));
            await StopAsync(tool);
        }
        await DbSyncTool.RunAsync(["uninstall", "--yes"], environment, cancellationToken: cancellationToken);
    }

    private static Task WriteAsync(string primary, long first, long rows, long each, CancellationToken cancellationToken) =>
        Clusters.RunAsync(primary, string.Create(CultureInfo.InvariantCulture, $"CALL write_orders({first}, {rows}, {each})"), cancellationToken);

    /// <summary>Returns once so many orders are readable in the shard.</summary>
    private static async Task UntilAsync(string directory, TestProcess tool, long rows, CancellationToken cancellationToken)
    {
        var path = Path.Combine(directory, "main.1.db");
        await Poll.UntilAsync(() => Alive() && File.Exists(path) && Has(), cancellationToken);

        bool Alive() => !tool.HasExited ? true : throw new InvalidOperationException(tool.StandardError);

        bool Has()
        {
            try
            {
                using var view = new Sqlite.ShardView(directory, new NodeFile.Shard("main", "main.1.db"));
                return view.Progress().Any(t => t is { Name: "orders", State: TableState.Live } && t.Rows >= rows);
            }
            catch (DbSyncException)
            {
                return false; // it is being set up
            }
        }
    }

    private static async Task StopAsync(TestProcess tool)
    {
        tool.Terminate();
        await tool.WaitForExitAsync();
    }
}
