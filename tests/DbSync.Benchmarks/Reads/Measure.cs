using System.Diagnostics;

namespace DbSync.Benchmarks.Reads;

/// <summary>Times, allocations and medians of rounds.</summary>
internal static class Measure
{
    /// <summary>Until what is read often is compiled as well as it will be.</summary>
    public static void Warm(Action action, TimeSpan? time = null)
    {
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < (time ?? TimeSpan.FromSeconds(2));) action();
    }

    /// <summary>In microseconds.</summary>
    public static double Time(Action action)
    {
        var started = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }

    /// <summary>What this thread allocates, in bytes.</summary>
    public static double Allocated(Action action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }
}
