using System.Numerics;

namespace DbSync;

/// <summary>
/// A histogram of durations with a bounded relative error: 16 steps for each power of two, from 1 microsecond to about 12 days.
/// Recording is lock-free. Source of the bucket layout: HdrHistogram's log-linear buckets.
/// </summary>
internal sealed class DelayHistogram
{
    private const int StepBits = 4;
    private const int StepCount = 1 << StepBits;
    private const int Powers = 40;

    private readonly long[] _counts = new long[(Powers + 1) * StepCount];
    private long _count;

    public long Count => Interlocked.Read(ref _count);

    public void Record(TimeSpan delay)
    {
        var micros = Math.Max(0, delay.Ticks / TimeSpan.TicksPerMicrosecond);
        Interlocked.Increment(ref _counts[IndexOf(micros)]);
        Interlocked.Increment(ref _count);
    }

    /// <summary>The delay that a share of <paramref name="quantile"/> (0 to 1) of the recorded ones does not exceed, in ms; null when none.</summary>
    public double? QuantileMs(double quantile)
    {
        var total = Count;
        if (total == 0) return null;
        var rank = Math.Max(1, (long)Math.Ceiling(quantile * total));
        long seen = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += Interlocked.Read(ref _counts[i]);
            if (seen >= rank) return UpperMicrosOf(i) / 1000.0;
        }
        return UpperMicrosOf(_counts.Length - 1) / 1000.0;
    }

    /// <summary>The steps that hold something: what their delays do not exceed, in ms, and how many there are.</summary>
    public IReadOnlyList<(double UpperMs, long Count)> Steps()
    {
        var steps = new List<(double, long)>();
        for (var i = 0; i < _counts.Length; i++)
            if (Interlocked.Read(ref _counts[i]) is > 0 and var count) steps.Add((UpperMicrosOf(i) / 1000.0, count));
        return steps;
    }

    private static int IndexOf(long micros)
    {
        if (micros < StepCount) return (int)micros;
        var power = BitOperations.Log2((ulong)micros) - StepBits;
        if (power >= Powers) return (Powers + 1) * StepCount - 1;
        return ((power + 1) << StepBits) + (int)((micros >> power) & (StepCount - 1));
    }

    private static double UpperMicrosOf(int index)
    {
        if (index < StepCount) return index;
        var power = (index >> StepBits) - 1;
        return ((long)((index & (StepCount - 1)) + StepCount + 1) << power) - 1;
    }
}
