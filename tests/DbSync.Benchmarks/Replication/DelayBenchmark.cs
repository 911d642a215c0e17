using System.Diagnostics;
using Npgsql;

namespace DbSync.Benchmarks.Replication;

/// <summary>
/// How long after its commit was answered a row is visible in another connection, at 200 commits a second. The writer itself looks, as fast
/// as it can: on the replica through a second SQLite connection, on the subscriber by a prepared SELECT.
/// </summary>
internal sealed class DelayBenchmark(string primary, NativeSubscription native, ReplicaNode replica, CancellationToken cancellationToken)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5);
    private long _last;

    public async Task MeasureAsync(ReplicationOptions options, BenchmarkReport report)
    {
        Samples p50 = new(), p90 = new(), p99 = new();
        var count = (int)options.Rows(2_000);
        for (var round = 0; round < options.Rounds; round++)
        {
            var theirs = await NativeAsync(count);
            var ours = await OursAsync(count);
            foreach (var (samples, quantile) in new[] { (p50, 0.5), (p90, 0.9), (p99, 0.99) })
            {
                samples.AddTheirs(Samples.Quantile(theirs, quantile));
                samples.AddOurs(Samples.Quantile(ours, quantile));
            }
            ReplicationBenchmark.Say(FormattableString.Invariant(
                $"delay, round {round + 1}: native p50 {Samples.Median(theirs):0} us, DbSync p50 {Samples.Median(ours):0} us"));
        }
        report.Add(ReplicationBenchmark.AtMost("delay at 200 commits/s, p50", "us", p50, 0.7));
        report.Add(new Figure("delay at 200 commits/s, p90", p90.Ours, "us", ReplicationBenchmark.Native, p90.Ratio));
        report.Add(ReplicationBenchmark.AtMost("delay at 200 commits/s, p99", "us", p99, 1));
        report.Add(new Figure("delay at 200 commits/s, p50, native", p50.Theirs, "us"));
        report.Add(new Figure("delay at 200 commits/s, p90, native", p90.Theirs, "us"));
        report.Add(new Figure("delay at 200 commits/s, p99, native", p99.Theirs, "us"));
    }

    private async Task<List<double>> NativeAsync(int count)
    {
        await native.EnableAsync();
        await using var connection = await Clusters.OpenAsync(native.ConnectionString, cancellationToken);
        await using var select = Prepared(connection, "SELECT 1 FROM ping WHERE id = $1");
        var delays = await WriteAsync(count, id =>
        {
            select.Parameters[0].Value = id;
            return select.ExecuteScalar() is not null;
        });
        await native.DisableAsync();
        return delays;
    }

    private async Task<List<double>> OursAsync(int count)
    {
        replica.Run();
        using var database = replica.Look();
        using var select = database.Prepare("SELECT 1 FROM ping WHERE id = ?");
        var delays = await WriteAsync(count, id =>
        {
            var found = select.Bind(1, id).Step();
            if (found) select.Reset();
            return found;
        });
        await replica.StopAsync();
        return delays;
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
