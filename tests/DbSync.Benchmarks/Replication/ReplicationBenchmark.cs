using DbSync.Sqlite;

namespace DbSync.Benchmarks.Replication;

/// <summary>
/// DbSync beside PostgreSQL's own logical replication into a second cluster: initial copy, draining a backlog, delay, memory. Both sides
/// by turns, each figure the median over rounds, each ratio the median of the rounds' ratios.
/// </summary>
internal static class ReplicationBenchmark
{
    public const string Native = "native";

    public static async Task<BenchmarkReport> RunAsync(BenchmarkArguments arguments, CancellationToken cancellationToken)
    {
        var options = new ReplicationOptions(arguments.Scale, arguments.Rounds, arguments.Only);
        Say("starting two clusters");
        await using var clusters = await Clusters.StartAsync(cancellationToken);
        var report = new BenchmarkReport("replication", TimeProvider.System.GetUtcNow(), Versions(clusters, options));
        if (options.Wants("copy")) await CopyBenchmark.RunAsync(clusters, options, report, cancellationToken);
        await StreamBenchmark.RunAsync(clusters, options, report, cancellationToken);
        if (options.Wants("memory")) await MemoryBenchmark.RunAsync(clusters, options, report, cancellationToken);
        Say("stopping the clusters");
        return report;
    }

    /// <summary>Progress, for whoever watches.</summary>
    public static void Say(string what) => Console.Error.WriteLine(FormattableString.Invariant($"{TimeProvider.System.GetUtcNow():HH:mm:ss} {what}"));

    /// <summary>The measured value beside the peer's, with a goal for the ratio.</summary>
    public static Figure AtLeast(string name, string unit, Samples samples, double least) =>
        new(name, samples.Ours, unit, Native, samples.Ratio, FormattableString.Invariant($">= {least:0.##} x"), samples.Ratio >= least);

    /// <inheritdoc cref="AtLeast"/>
    public static Figure AtMost(string name, string unit, Samples samples, double most) =>
        new(name, samples.Ours, unit, Native, samples.Ratio, FormattableString.Invariant($"<= {most:0.##} x"), samples.Ratio <= most);

    private static Dictionary<string, string> Versions(Clusters clusters, ReplicationOptions options) => new(StringComparer.Ordinal)
    {
        [".NET"] = Environment.Version.ToString(),
        ["PostgreSQL"] = clusters.Primary.Version.ToString(),
        ["SQLite"] = FormattableString.Invariant(
            $"{SqliteApi.VersionNumber() / 1_000_000}.{SqliteApi.VersionNumber() / 1000 % 1000}.{SqliteApi.VersionNumber() % 1000}"),
        ["Npgsql"] = typeof(Npgsql.NpgsqlConnection).Assembly.GetName().Version!.ToString(3),
        ["clusters"] = Clusters.Described + "; subscription synchronous_commit off",
        ["scale"] = FormattableString.Invariant($"{options.Scale:0.###}, {options.Rounds} rounds"),
    };
}
