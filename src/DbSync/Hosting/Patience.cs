namespace DbSync;

/// <summary>Waits for a primary that can't be reached, or does not serve, yet.</summary>
internal static class Patience
{
    /// <summary>Tries again for as long as the failure is one that passes, with growing waits; other failures pass.</summary>
    public static async Task<T> UntilServedAsync<T>(
        Func<Task<T>> action, TimeSpan delay, TimeSpan delayMax, TimeProvider time, Action<string> waiting, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await action();
            }
            catch (DbSyncException exception) when (ErrorCodes.IsPassing(exception.Code))
            {
                waiting(exception.Message);
            }
            await Task.Delay(delay, time, cancellationToken);
            delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, delayMax.Ticks));
        }
    }
}
