namespace DbSync.Benchmarks.Replication;

/// <summary>What follows the log: draining a backlog, delay, memory; one database, one node and one subscription for all of it.</summary>
internal static class StreamBenchmark
{
    private const string Database = "stream";
    private const int Tables = 9; // the workload's seven and DbSync's own two

    public static async Task RunAsync(Clusters clusters, ReplicationOptions options, BenchmarkReport report, CancellationToken cancellationToken)
    {
        var scale = (int)Math.Max(1, Math.Round(10 * options.Scale));
        var drains = Drains(options, scale).Where(d => options.Wants("drain") || options.Wants(d.Part)).ToList();
        var followed = Followed(options).Where(d => options.Wants("follow") || options.Wants(d.Part)).ToList();
        var wantsDelay = options.Wants("delay") || options.Wants("delay-200") || options.Wants("delay-2000");
        if (drains.Count == 0 && followed.Count == 0 && !wantsDelay) return;

        ReplicationBenchmark.Say("following: setting up");
        await clusters.CreateDatabaseAsync(Database, Workload.Everything, cancellationToken);
        var primary = clusters.Primary.ConnectionStringFor(Database);
        await Clusters.RunAsync(primary, Workload.OrderRows, cancellationToken);
        await Clusters.RunAsync(primary, Workload.Writers, cancellationToken);
        await Clusters.RunAsync(primary, Workload.FillPgbench(scale), cancellationToken);
        await ReplicaNode.PublishAsync(primary, Workload.AllTables, cancellationToken);
        await using var native = new NativeSubscription(clusters, Database, cancellationToken);
        await native.SubscribeAsync();
        await native.DisableAsync();
        await using var replica = await ReplicaNode.CreateAsync(primary, cancellationToken);
        replica.Run();
        await replica.UntilCopiedAsync(Tables, cancellationToken);
        await replica.StopAsync();

        var drain = new DrainBenchmark(primary, native, replica, cancellationToken);
        foreach (var workload in drains) await drain.MeasureAsync(workload, options.Rounds, report);
        foreach (var workload in followed) await drain.MeasureFollowingAsync(workload, options.Rounds, report);
        if (wantsDelay) await new DelayBenchmark(primary, native, replica, cancellationToken).MeasureAsync(options, report);
    }

    private static IEnumerable<DrainWorkload> Drains(ReplicationOptions options, int scale)
    {
        yield return Inserts("drain-1000", options.Rows(1_000_000), 1000, 1, 2);
        yield return Inserts("drain-10", options.Rows(300_000), 10, 2);
        yield return Inserts("drain-1", options.Rows(300_000), 1, 2);
        var transactions = options.Rows(300_000) / 4;
        yield return new DrainWorkload(
            "drain-tpcb", "TPC-B mix", 4 * transactions, _ => FormattableString.Invariant($"CALL write_tpcb({transactions}, {scale})"), [0.9, 1.3], AreInserts: false);
    }

    private static IEnumerable<DrainWorkload> Followed(ReplicationOptions options)
    {
        yield return Inserts("follow-1", options.Rows(100_000), 1, 1.3);
        yield return Inserts("follow-1000", options.Rows(300_000), 1000, 1);
    }

    private static DrainWorkload Inserts(string part, long rows, int each, params double[] goals) => new(
        part, $"inserts in transactions of {each}", rows, first => FormattableString.Invariant($"CALL write_orders({first}, {rows}, {each})"), goals, AreInserts: true);
}
