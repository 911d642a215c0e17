namespace DbSync.Benchmarks.Replication;

/// <summary>Looks every two milliseconds, alike on both sides.</summary>
internal static class Poll
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    public static async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (!condition()) await Task.Delay(Interval, TimeProvider.System, cancellationToken);
    }
}
