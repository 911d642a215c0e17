using System.Globalization;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>A chunk whose reading stands still while a large transaction changes its rows: the changes wait in the slot, not in memory.</summary>
[Trait("Needs", "Server")]
[Trait("Role", "Soak")]
public sealed class ChunkInFlightTests(PostgresFixture postgres)
{
    private const long ResidentBytesMax = 300L << 20;
    private const string Reading = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dbsync' AND query LIKE 'COPY (SELECT \"id\"%'";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_million_rows_that_change_while_a_chunk_is_read_do_not_pile_up_in_memory()
    {
        await using var node = await ToolNode.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel),
            "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 1000000) g", Cancel);
        var tool = node.Run();
        var reader = Convert.ToInt32(await Eventually.Async(_ => node.ScalarAsync(Reading), pid => pid is int, TimeSpan.FromSeconds(60), cancellationToken: Cancel), CultureInfo.InvariantCulture);
        Signals.Send(reader, Signals.Stop);
        try
        {
            await node.ExecuteAsync("UPDATE t SET v = 'changed'");
            var before = LiveStatus.TryLoad(node.DataPath)!.UpdatedAt;
            await Eventually.Async(() => LiveStatus.TryLoad(node.DataPath)!.UpdatedAt > before + TimeSpan.FromSeconds(10), cancellationToken: Cancel);
            ResidentBytes(tool.ProcessId).ShouldBeLessThan(ResidentBytesMax);
        }
        finally
        {
            Signals.Send(reader, Signals.Continue);
        }
        await node.CatchUpAsync(TimeSpan.FromMinutes(3));
        await node.StopAsync();
        (await ReplicaOracle.CompareAsync(node.ConnectionString, "dbsync_main", node.ShardFiles)).ShouldBeEmpty();
    }

    private static long ResidentBytes(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
