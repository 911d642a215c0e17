using System.Diagnostics;
using Npgsql;

namespace DbSync.Benchmarks.Replication;

/// <summary>
/// How long after its commit was answered a row is visible in another connection, at 200 commits a second, and at 2,000 where a second
/// session commits the other 1,800. The writer itself looks, as fast as it can: on the replica through a second SQLite connection, on the
/// subscriber by a prepared SELECT.
/// </summary>
internal sealed class DelayBenchmark(string primary, NativeSubscription native, ReplicaNode replica, CancellationToken cancellationToken)
{
    private const int OwnPerSecond = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1.0 / OwnPerSecond);
    private long _last;

    public async Task MeasureAsync(ReplicationOptions options, BenchmarkReport report)
    {
        if (options.Wants("delay") || options.Wants("delay-200")) await MeasureAsync(OwnPerSecond, [0.7, 0.4], options, report);
        if (options.Wants("delay") || options.Wants("delay-2000")) await MeasureAsync(2_000, [1], options, report);
    }

    private async Task MeasureAsync(int perSecond, double[] goals, ReplicationOptions options, BenchmarkReport report)
    {
        var name = FormattableString.Invariant($"delay at {perSecond:#,0} commits/s");
        Samples p50 = new(), p90 = new(), p99 = new();
        var count = (int)options.Rows(2_000);
        for (var round = 0; round < options.Rounds; round++)
        {
            var theirs = await NativeAsync(count, perSecond - OwnPerSecond);
            var ours = await OursAsync(count, perSecond - OwnPerSecond);
            foreach (var (samples, quantile) in new[] { (p50, 0.5), (p90, 0.9), (p99, 0.99) })
            {
                samples.AddTheirs(Samples.Quantile(theirs, quantile));
                samples.AddOurs(Samples.Quantile(ours, quantile));
            }
            ReplicationBenchmark.Say(FormattableString.Invariant(
                $"{name}, round {round + 1}: native p50 {Samples.Median(theirs):0} us, DbSync p50 {Samples.Median(ours):0} us"));
        }
        report.Add(ReplicationBenchmark.AtMost($"{name}, p50", "us", p50, goals[0]));
        foreach (var goal in goals[1..]) report.Add(ReplicationBenchmark.AtMost($"{name}, p50, raised goal", "us", p50, goal));
        report.Add(new Figure($"{name}, p90", p90.Ours, "us", ReplicationBenchmark.Native, p90.Ratio));
        report.Add(ReplicationBenchmark.AtMost($"{name}, p99", "us", p99, 1));
        report.Add(new Figure($"{name}, p50, native", p50.Theirs, "us"));
        report.Add(new Figure($"{name}, p90, native", p90.Theirs, "us"));
        report.Add(new Figure($"{name}, p99, native", p99.Theirs, "us"));
    }

    private async Task<List<double>> NativeAsync(int count, int othersPerSecond)
    {
        await native.EnableAsync();
        await using var connection = await Clusters.OpenAsync(native.ConnectionString, cancellationToken);
        await using var select = Prepared(connection, "SELECT 1 FROM ping WHERE id = $1");
        var delays = await WriteAsync(count, othersPerSecond, id =>
        {
            select.Parameters[0].Value = id;
            return select.ExecuteScalar() is not null;
        });
        await native.DisableAsync();
        return delays;
    }

    private async Task<List<double>> OursAsync(int count, int othersPerSecond)
    {
        replica.Run();
        using var database = replica.Look();
        using var select = database.Prepare("SELECT 1 FROM ping WHERE id = ?");
        var delays = await WriteAsync(count, othersPerSecond, id =>
        {
            var found = select.Bind(1, id).Step();
            if (found) select.Reset();
            return found;
        });
        await replica.StopAsync();
        return delays;
    }

    private async Task<List<double>> WriteAsync(int count, int othersPerSecond, Func<long, bool> isVisible)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var others = othersPerSecond > 0 ? WriteOthersAsync(othersPerSecond, enough.Token) : Task.CompletedTask;
        try
        {
            return await WriteAsync(count, isVisible);
        }
        finally
        {
            await enough.CancelAsync();
            await others.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // it is cancelled
        }
    }

    private async Task WriteOthersAsync(int perSecond, CancellationToken enough)
    {
        await using var connection = await Clusters.OpenAsync(primary, enough);
        await using var command = new NpgsqlCommand($"CALL write_pings({perSecond})", connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(enough);
    }

    private async Task<List<double>> WriteAsync(int count, Func<long, bool> isVisible)
    {
        await using var connection = await Clusters.OpenAsync(primary, cancellationToken);
        await using var insert = Prepared(connection, "INSERT INTO ping VALUES ($1)");
        Write(insert); // once, so that both sides have caught up and what is compiled is compiled
        await Poll.UntilAsync(() => isVisible(_last), cancellationToken);
        var delays = new List<double>(count);
        using var pace = new PeriodicTimer(Interval, TimeProvider.System);
        for (var i = -Math.Min(200, count / 5); i < count; i++)
        {
            await pace.WaitForNextTickAsync(cancellationToken);
            Write(insert);
            var committed = Stopwatch.GetTimestamp();
            while (!isVisible(_last))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Thread.Yield(); // looking must not keep the processor, or SQLite's locks, from what it waits for
                Thread.SpinWait(100);
            }
            if (i >= 0) delays.Add(Stopwatch.GetElapsedTime(committed).TotalMicroseconds);
        }
        return delays;
    }

    private void Write(NpgsqlCommand insert)
    {
        insert.Parameters[0].Value = ++_last;
        insert.ExecuteNonQuery();
    }

    private static NpgsqlCommand Prepared(NpgsqlConnection connection, string sql)
    {
        var command = new NpgsqlCommand(sql, connection);
        command.Parameters.Add(new NpgsqlParameter { Value = 0L });
        command.Prepare();
        return command;
    }
}
