namespace DbSync.Benchmarks.Replication;

/// <summary>Looks every two milliseconds, alike on both sides, from a thread of its own: one of the pool would spin between two looks.</summary>
internal static class Poll
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    public static Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken) => Task.Factory.StartNew(
        () =>
        {
            while (!condition())
                if (cancellationToken.WaitHandle.WaitOne(Interval)) cancellationToken.ThrowIfCancellationRequested();
        },
        cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
