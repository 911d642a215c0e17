using System.Diagnostics;
using DbSync.Sqlite;
using Npgsql;

namespace DbSync.Benchmarks.Replication;

/// <summary>The initial copy of table W, beside PostgreSQL's table synchronisation and two floors: only reading, only writing.</summary>
internal static class CopyBenchmark
{
    private const string Database = "copy";
    private const int Tables = 3; // orders and DbSync's own two

    public static async Task RunAsync(Clusters clusters, ReplicationOptions options, BenchmarkReport report, CancellationToken cancellationToken)
    {
        var rows = options.Rows(1_000_000);
        ReplicationBenchmark.Say($"initial copy: writing {rows:#,0} rows");
        await clusters.CreateDatabaseAsync(Database, Workload.Orders, cancellationToken);
        var primary = clusters.Primary.ConnectionStringFor(Database);
        await Clusters.RunAsync(primary, Workload.OrderRows, cancellationToken);
        await Clusters.RunAsync(primary, Workload.FillOrders(rows), cancellationToken);
        await Clusters.RunAsync(primary, "VACUUM ANALYZE orders", cancellationToken);
        await ReplicaNode.PublishAsync(primary, "orders", cancellationToken);

        Samples speed = new(), read = new(), write = new();
        List<double> cpu = [];
        for (var round = 0; round < options.Rounds; round++)
        {
            var theirs = await NativeAsync(clusters, cancellationToken);
            speed.AddTheirs(rows / theirs.TotalSeconds);
            var (ours, apply) = await OursAsync(clusters, primary, cancellationToken);
            speed.AddOurs(rows / ours.TotalSeconds);
            cpu.Add(apply.TotalMicroseconds / rows);
            read.AddOurs(rows / Timed(() => ReadToNowhere(primary)).TotalSeconds);
            read.AddTheirs(rows / ours.TotalSeconds);
            write.AddOurs(rows / WriteOnly(rows).TotalSeconds);
            write.AddTheirs(rows / ours.TotalSeconds);
            ReplicationBenchmark.Say(FormattableString.Invariant(
                $"initial copy, round {round + 1}: native {theirs.TotalSeconds:0.00} s, DbSync {ours.TotalSeconds:0.00} s"));
        }
        report.Add(ReplicationBenchmark.AtLeast("initial copy", "rows/s", speed, 2));
        report.Add(ReplicationBenchmark.AtLeast("initial copy, raised goal", "rows/s", speed, 3));
        report.Add(new Figure(
            "initial copy beside COPY read to nowhere", speed.Ours, "rows/s", "COPY read to nowhere", 1 / read.Ratio, ">= 0.7 x", 1 / read.Ratio >= 0.7));
        report.Add(new Figure("initial copy, native", speed.Theirs, "rows/s"));
        report.Add(new Figure("floor: COPY binary read to nowhere", read.Ours, "rows/s", "DbSync", read.Ratio));
        report.Add(new Figure("floor: raw prepared inserts into SQLite", write.Ours, "rows/s", "DbSync", write.Ratio));
        report.Add(new Figure("initial copy, writer's CPU", Samples.Median(cpu), "us/row"));
    }

    private static async Task<TimeSpan> NativeAsync(Clusters clusters, CancellationToken cancellationToken)
    {
        await using var native = new NativeSubscription(clusters, Database, cancellationToken);
        await Clusters.RunAsync(native.ConnectionString, "TRUNCATE orders", cancellationToken);
        await clusters.SettleAsync(cancellationToken);
        var started = Stopwatch.GetTimestamp();
        await native.SubscribeAsync();
        var elapsed = Stopwatch.GetElapsedTime(started);
        await native.UnsubscribeAsync();
        return elapsed;
    }

    private static async Task<(TimeSpan Elapsed, TimeSpan Cpu)> OursAsync(Clusters clusters, string primary, CancellationToken cancellationToken)
    {
        await using var replica = await ReplicaNode.CreateAsync(primary, cancellationToken);
        await clusters.SettleAsync(cancellationToken);
        var started = Stopwatch.GetTimestamp();
        replica.Run();
        await replica.UntilCopiedAsync(Tables, cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(started);
        return (elapsed, ProcessMeter.CpuOfThreads("dbsync shard"));
    }

    private static void ReadToNowhere(string primary)
    {
        using var connection = new NpgsqlConnection(primary);
        connection.Open();
        using var copy = connection.BeginRawBinaryCopy("COPY orders TO STDOUT (FORMAT binary)");
        var buffer = new byte[64 << 10];
        while (copy.Read(buffer, 0, buffer.Length) > 0)
        {
        }
    }

    /// <summary>One statement, one transaction, WAL mode, the pages and the cache of a shard file.</summary>
    private static TimeSpan WriteOnly(long rows)
    {
        using var directory = new Testing.TemporaryDirectory();
        using var database = new SqliteDatabase(directory["floor.db"], "floor");
        database.Execute("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -65536");
        database.Execute(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, status TEXT, amount TEXT, created_at TEXT, payload TEXT)");
        using var insert = database.Prepare("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)");
        var cells = new ChangeBuffer(4096);
        cells.WriteText("shipped"u8);
        cells.WriteText("612.3400000000000000"u8);
        cells.WriteText("2026-01-08 12:34:56.789012"u8);
        cells.WriteText("""{"sku": "SKU-9041", "note": "0123456789abcdef0123456789abcdef", "quantity": 7}"""u8);
        return Timed(() =>
        {
            database.Execute("BEGIN");
            for (long id = 1; id <= rows; id++)
            {
                var row = cells.Written;
                insert.Bind(1, id).Bind(2, id * 7919 % 100_003);
                for (var column = 3; column <= 6; column++) insert.Bind(column, Cell.Read(ref row));
                insert.Run();
            }
            database.Execute("COMMIT");
        });
    }

    private static TimeSpan Timed(Action action)
    {
        var started = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(started);
    }
}
