namespace DbSync.Testing;

/// <summary>Waits on conditions: the one place where a test lets time pass.</summary>
public static class Eventually
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>How long a condition may take when the caller doesn't say.</summary>
    public static TimeSpan DefaultTimeout { get; } = TimeSpan.FromSeconds(30);

    /// <summary>Returns as soon as <paramref name="condition"/> holds.</summary>
    /// <exception cref="TimeoutException">It didn't within <paramref name="timeout"/>; the message ends with what <paramref name="describe"/> says then.</exception>
    public static Task Async(
        Func<bool> condition,
        TimeSpan? timeout = null,
        Func<string>? describe = null,
        CancellationToken cancellationToken = default) =>
        Async(_ => Task.FromResult(condition()), timeout, describe, cancellationToken);

    /// <inheritdoc cref="Async(Func{bool}, TimeSpan?, Func{string}?, CancellationToken)"/>
    public static Task Async(
        Func<CancellationToken, Task<bool>> condition,
        TimeSpan? timeout = null,
        Func<string>? describe = null,
        CancellationToken cancellationToken = default) =>
        Async(condition, held => held, timeout, held => describe?.Invoke() ?? $"the condition was {held}", cancellationToken);

    /// <summary>Reads until <paramref name="accept"/> takes what was read, and returns that.</summary>
    /// <exception cref="TimeoutException">Nothing was accepted within <paramref name="timeout"/>; the message describes the last value or failure.</exception>
    public static async Task<T> Async<T>(
        Func<CancellationToken, Task<T>> read,
        Func<T, bool> accept,
        TimeSpan? timeout = null,
        Func<T, string>? describe = null,
        CancellationToken cancellationToken = default)
    {
        var limit = timeout ?? DefaultTimeout;
        var time = TimeProvider.System;
        var started = time.GetTimestamp();
        using var deadline = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        var last = "nothing was read";
        while (true)
        {
            try
            {
                var value = await read(either.Token).ConfigureAwait(false);
                if (accept(value))
                    return value;
                last = describe?.Invoke(value) ?? $"{value}";
            }
            catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                last = $"still reading; before that: {last}";
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (time.GetElapsedTime(started) >= limit)
                throw new TimeoutException($"Not within {limit.TotalSeconds:0.###} s. Last state: {last}");
            await Task.Delay(PollInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }
}
