using System.Globalization;

namespace DbSync.Benchmarks.Replication;

/// <summary>What Linux says of processes and threads: time on a processor and resident memory. Zero elsewhere.</summary>
internal static class ProcessMeter
{
    /// <summary>The processor time of this process's threads whose name starts so.</summary>
    public static TimeSpan CpuOfThreads(string name)
    {
        if (!OperatingSystem.IsLinux()) return TimeSpan.Zero;
        var total = TimeSpan.Zero;
        foreach (var task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            if (Read(Path.Combine(task, "comm")) is { } comm && comm.StartsWith(name, StringComparison.Ordinal))
                total += CpuOf(Path.Combine(task, "schedstat"));
        }
        return total;
    }

    /// <summary>The processor time of another process.</summary>
    public static TimeSpan CpuOfProcess(int processId) => CpuOf(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/schedstat"));

    /// <summary>The most memory of a process that was ever resident, in MiB.</summary>
    public static double PeakMemoryMib(int processId)
    {
        if (!OperatingSystem.IsLinux()) return 0;
        var line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/status")).First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return double.Parse(line["VmHWM:".Length..^"kB".Length], CultureInfo.InvariantCulture) / 1024;
    }

    private static TimeSpan CpuOf(string schedstat)
    {
        var text = Read(schedstat);
        if (text is null) return TimeSpan.Zero;
        return TimeSpan.FromMicroseconds(long.Parse(text.AsSpan(0, text.IndexOf(' ', StringComparison.Ordinal)), CultureInfo.InvariantCulture) / 1000.0);
    }

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return null; // it has ended
        }
    }
}
