using System.Diagnostics;

namespace DbSync.Benchmarks.Replication;

/// <summary>A backlog to drain.</summary>
/// <param name="Part">Its name on the command line.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Changes">How many changes it has.</param>
/// <param name="Sql">The statement that writes it, given the first free order.</param>
/// <param name="Goals">The least ratios to the native subscription: the first one set and the one raised later.</param>
/// <param name="AreInserts">Whether every change is a new order.</param>
internal sealed record DrainWorkload(string Part, string Name, long Changes, Func<long, string> Sql, double[] Goals, bool AreInserts);

/// <summary>
/// Draining what was written while nobody followed: from the start of the follower until the backlog's last row is visible in another
/// connection, for the native subscription and for DbSync by turns on the same backlog.
/// </summary>
internal sealed class DrainBenchmark(string primary, NativeSubscription native, ReplicaNode replica, CancellationToken cancellationToken)
{
    private long _orders;
    private long _markers;

    public async Task MeasureAsync(DrainWorkload workload, int rounds, BenchmarkReport report)
    {
        var speed = new Samples();
        var runs = new List<DrainRun>();
        for (var round = 0; round < rounds; round++)
        {
            ReplicationBenchmark.Say($"drain of {workload.Name}, round {round + 1}: writing {workload.Changes:#,0} changes");
            await WriteAsync(workload.Sql(_orders + 1));
            var steadyFrom = _orders + workload.Changes / 3;
            if (workload.AreInserts) _orders += workload.Changes;
            TimeSpan theirs = default;
            if (round % 2 == 0) theirs = await NativeAsync();
            var ours = await OursAsync(workload.AreInserts ? steadyFrom : null);
            if (round % 2 != 0) theirs = await NativeAsync();
            speed.AddTheirs(workload.Changes / theirs.TotalSeconds);
            speed.AddOurs(workload.Changes / ours.Elapsed.TotalSeconds);
            runs.Add(ours);
            ReplicationBenchmark.Say(FormattableString.Invariant(
                $"drain of {workload.Name}, round {round + 1}: native {theirs.TotalSeconds:0.00} s, DbSync {ours.Elapsed.TotalSeconds:0.00} s"));
        }
        Report(workload, speed, runs, report);
    }

    /// <summary>The same changes while both follow: from their beginning until the last one is visible.</summary>
    public async Task MeasureFollowingAsync(DrainWorkload workload, int rounds, BenchmarkReport report)
    {
        var speed = new Samples();
        for (var round = 0; round < rounds; round++)
        {
            await native.EnableAsync();
            speed.AddTheirs(workload.Changes / (await FollowedAsync(workload, () => native.UntilVisibleAsync("marker", _markers))).TotalSeconds);
            await native.DisableAsync();
            replica.Run();
            speed.AddOurs(workload.Changes / (await FollowedAsync(workload, UntilMarkedAsync)).TotalSeconds);
            await replica.StopAsync();
            ReplicationBenchmark.Say(FormattableString.Invariant(
                $"following {workload.Name}, round {round + 1}: ratio {speed.Ratio:0.00}"));
        }
        report.Add(ReplicationBenchmark.AtLeast($"following, {workload.Name}", "changes/s", speed, workload.Goals[0]));
        report.Add(new Figure($"following, {workload.Name}, native", speed.Theirs, "changes/s"));
    }

    /// <summary>Both begin with everything before behind them; what the other has not followed of this, it drains unmeasured.</summary>
    private async Task<TimeSpan> FollowedAsync(DrainWorkload workload, Func<Task> untilVisible)
    {
        await WriteAsync("SELECT 1");
        await untilVisible();
        var started = Stopwatch.GetTimestamp();
        await WriteAsync(workload.Sql(_orders + 1));
        _orders += workload.Changes;
        await untilVisible();
        return Stopwatch.GetElapsedTime(started);
    }

    private Task UntilMarkedAsync() => replica.UntilAsync(FormattableString.Invariant($"SELECT 1 FROM marker WHERE id = {_markers}"), cancellationToken);

    private static void Report(DrainWorkload workload, Samples speed, List<DrainRun> runs, BenchmarkReport report)
    {
        var name = $"drain, {workload.Name}";
        if (workload.Goals.Length == 0) report.Add(new Figure(name, speed.Ours, "changes/s", ReplicationBenchmark.Native, speed.Ratio));
        for (var i = 0; i < workload.Goals.Length; i++)
            report.Add(ReplicationBenchmark.AtLeast(i == 0 ? name : $"{name}, raised goal", "changes/s", speed, workload.Goals[i]));
        report.Add(new Figure($"{name}, native", speed.Theirs, "changes/s"));
        if (workload.AreInserts && workload.Changes >= 100_000)
            report.Add(Figure.AtMost($"{name}, allocated", Median(r => r.AllocatedBytesPerRow), "bytes/row", 10));
        report.Add(new Figure($"{name}, receive and decode CPU", Median(r => r.Decode.TotalMicroseconds / workload.Changes), "us/change"));
        report.Add(new Figure($"{name}, apply CPU", Median(r => r.Apply.TotalMicroseconds / workload.Changes), "us/change"));
        report.Add(new Figure($"{name}, walsender CPU", Median(r => r.Server.TotalMicroseconds / workload.Changes), "us/change"));
        var (stage, share) = new (string Stage, double Share)[]
        {
            ("the server", Median(r => r.Server / r.Elapsed)),
            ("receive and decode", Median(r => r.Decode / r.Elapsed)),
            ("apply", Median(r => r.Apply / r.Elapsed)),
            ("sync", Median(r => r.Sync / r.Elapsed)),
        }.MaxBy(s => s.Item2);
        report.Add(new Figure($"{name}, limited by {stage}, which was busy", 100 * share, "% of the time"));

        double Median(Func<DrainRun, double> figure) => Samples.Median([.. runs.Select(figure)]);
    }

    /// <summary>Writes a backlog and a last row to wait for, whose commit flushes it all.</summary>
    private async Task WriteAsync(string sql)
    {
        await using var connection = await Clusters.OpenAsync(primary, cancellationToken);
        foreach (var statement in new[] { "SET synchronous_commit = off", sql, "SET synchronous_commit = on", $"INSERT INTO marker VALUES ({++_markers})" })
        {
            await using var command = new Npgsql.NpgsqlCommand(statement, connection) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private async Task<TimeSpan> NativeAsync()
    {
        var started = Stopwatch.GetTimestamp();
        await native.EnableAsync();
        await native.UntilVisibleAsync("marker", _markers);
        var elapsed = Stopwatch.GetElapsedTime(started);
        await native.DisableAsync();
        return elapsed;
    }

    private async Task<DrainRun> OursAsync(long? steadyFrom)
    {
        var started = Stopwatch.GetTimestamp();
        replica.Run();
        var (allocated, rows) = (0L, 0L);
        if (steadyFrom is { } from)
        {
            await replica.UntilAsync(FormattableString.Invariant($"SELECT max(id) >= {from} FROM orders"), cancellationToken);
            (allocated, rows) = (GC.GetTotalAllocatedBytes(precise: true), LastOrder());
        }
        await UntilMarkedAsync();
        var elapsed = Stopwatch.GetElapsedTime(started);
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        rows = LastOrder() - rows;
        var walsender = await Clusters.ScalarAsync<int>(
            primary, $"SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{replica.Slot}'", cancellationToken);
        var run = new DrainRun(
            elapsed, ProcessMeter.CpuOfThreads("dbsync stream"), ProcessMeter.CpuOfThreads("dbsync shard"), replica.Node.SyncTime,
            ProcessMeter.CpuOfProcess(walsender), allocated / (double)Math.Max(1, rows));
        await replica.StopAsync();
        return run;
    }

    private long LastOrder()
    {
        using var database = replica.Look();
        return database.QueryInteger("SELECT max(id) FROM orders");
    }

    private sealed record DrainRun(
        TimeSpan Elapsed, TimeSpan Decode, TimeSpan Apply, TimeSpan Sync, TimeSpan Server, double AllocatedBytesPerRow);
}
