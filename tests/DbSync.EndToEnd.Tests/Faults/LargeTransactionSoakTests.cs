using System.Globalization;
using DbSync.EndToEnd.Tests.Replication;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>A transaction of more than a gibibyte: streamed before its end, kept on disk, applied whole, in little memory.</summary>
[Trait("Needs", "Server")]
[Trait("Role", "Soak")]
public sealed class LargeTransactionSoakTests
{
    private const int Rows = 5_000_000;
    private const double ResidentMibMax = 200;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_transaction_of_five_million_rows_is_applied_within_200_MiB()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        await using var server = await PostgresServer.StartAsync(
            new PostgresServerOptions { Settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["max_wal_size"] = "8GB" } }, Cancel);
        await using var node = await ToolNode.CreateAsync(
            await server.CreateDatabaseAsync(cancellationToken: Cancel), "CREATE TABLE t (id bigint PRIMARY KEY, n int, v text); INSERT INTO t VALUES (0, 0, 'first')", Cancel);
        var process = node.Run();
        await node.CatchUpAsync();

        await node.ExecuteAsync($"INSERT INTO t SELECT g, 0, repeat(md5(g::text), 7) FROM generate_series(1, {Rows}) g");
        ((long)(await node.ScalarAsync("SELECT pg_table_size('t')"))!).ShouldBeGreaterThan(1L << 30);
        await node.CatchUpAsync(TimeSpan.FromMinutes(10));
        ((long)(await node.ScalarAsync("SELECT stream_txns FROM pg_stat_replication_slots"))!).ShouldBeGreaterThan(0);
        ShardRows.Count(node.ShardFiles.Single(), "t").ShouldBe(Rows + 1);
        Directory.GetFiles(Path.Combine(node.DataPath, "spill")).ShouldBeEmpty();
        var peak = PeakMib(process.ProcessId);
        TestContext.Current.TestOutputHelper?.WriteLine($"{peak:0} MiB at the most");
        peak.ShouldBeLessThanOrEqualTo(ResidentMibMax);
        await node.StopAsync();
    }

    private static double PeakMib(int processId)
    {
        var line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/status")).First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return double.Parse(line["VmHWM:".Length..^"kB".Length], CultureInfo.InvariantCulture) / 1024;
    }
}
