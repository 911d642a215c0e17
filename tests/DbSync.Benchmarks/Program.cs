using DbSync.Benchmarks;
using DbSync.Benchmarks.Sharding;

// scripts/bench NAME [--json FILE]: 0 it ran, 1 it failed, 2 usage. A goal that isn't met is shown, not an error: machines differ.
var benchmarks = new Dictionary<string, Func<CancellationToken, Task<BenchmarkReport>>>(StringComparer.Ordinal)
{
    ["sharding"] = ShardingBenchmark.RunAsync,
};

var understood = args.Length == 1 || (args.Length == 3 && args[1] == "--json");
if (!understood || !benchmarks.TryGetValue(args[0], out var run))
{
    await Console.Error.WriteLineAsync($"usage: scripts/bench NAME [--json FILE]\nNAME is one of: {string.Join(", ", benchmarks.Keys)}");
    return 2;
}

using var cancelled = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    cancelled.Cancel();
};

var report = await run(cancelled.Token);
report.Print(Console.Out);
if (args.Length == 3) await report.WriteJsonAsync(args[2], cancelled.Token);
return 0;
