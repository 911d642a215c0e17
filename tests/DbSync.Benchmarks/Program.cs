using DbSync.Benchmarks;
using DbSync.Benchmarks.Locks;
using DbSync.Benchmarks.Reads;
using DbSync.Benchmarks.Replication;
using DbSync.Benchmarks.Sharding;

if (args is [FirstQuery.Child, var side, var data]) return FirstQuery.Run(side, data);

// scripts/bench NAME [--json FILE]: 0 it ran, 1 it failed, 2 usage. A goal that isn't met is shown, not an error: machines differ.
var benchmarks = new Dictionary<string, Func<BenchmarkArguments, CancellationToken, Task<BenchmarkReport>>>(StringComparer.Ordinal)
{
    ["locks"] = (_, cancellationToken) => LocksBenchmark.RunAsync(cancellationToken),
    ["reads"] = ReadsBenchmark.RunAsync,
    ["replication"] = ReplicationBenchmark.RunAsync,
    ["sharding"] = (_, cancellationToken) => ShardingBenchmark.RunAsync(cancellationToken),
};

if (BenchmarkArguments.TryParse(args) is not { } arguments || !benchmarks.TryGetValue(arguments.Name, out var run))
{
    await Console.Error.WriteLineAsync(
        $"usage: scripts/bench NAME [--json FILE] [--scale S] [--rounds N] [--only PART,PART]\nNAME is one of: {string.Join(", ", benchmarks.Keys)}");
    return 2;
}

using var cancelled = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    cancelled.Cancel();
};

var report = await run(arguments, cancelled.Token);
report.Print(Console.Out);
if (arguments.JsonPath is not null) await report.WriteJsonAsync(arguments.JsonPath, merge: arguments.Only.Count > 0, cancelled.Token);
return 0;
