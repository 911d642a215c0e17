namespace DbSync.Redis;

/// <summary>The limits of <see cref="RedisRangeLockManager"/>. The same for all processes that share a prefix.</summary>
public sealed record RedisRangeLockOptions
{
    /// <summary>What the names of all keys and channels begin with: letters, digits, colon, hyphen, underscore. Default: <c>dbsync:lock</c>.</summary>
    public string Prefix { get; init; } = "dbsync:lock";

    /// <summary>
    /// How long the server keeps a client's locks after it last heard of it. Renewed every third of it. Default: 15 seconds; 100 ms to 10 minutes.
    /// </summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How much earlier than the server the client takes its lease for lost: room for the scheduler and for the two clocks' rates.
    /// Default: null, a fifteenth of <see cref="LeaseDuration"/>. Below a third of it.
    /// </summary>
    public TimeSpan? LeaseMargin { get; init; }

    /// <summary>How often waits are looked up in case a wake-up message was lost. Default: 1 second; 10 ms to 1 minute.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a request waits before a deadlock is searched, and between searches. Default: 1 second; at least 10 ms.</summary>
    public TimeSpan DeadlockCheckAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long one step (try, upgrade, give back) is repeated while the server can't be reached. Default: 5 seconds.</summary>
    public TimeSpan OperationTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The most ranges that may wait for one resource: it bounds the longest step inside Redis. Default: 10,000.</summary>
    public int WaitersMax { get; init; } = 10_000;

    internal TimeSpan Margin => LeaseMargin ?? LeaseDuration / 15;

    internal void Validate()
    {
        Require(Prefix.Length is > 0 and <= 100 && Prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is ':' or '-' or '_'),
            nameof(Prefix), "1 to 100 letters, digits, colons, hyphens and underscores");
        Require(LeaseDuration >= TimeSpan.FromMilliseconds(100) && LeaseDuration <= TimeSpan.FromMinutes(10),
            nameof(LeaseDuration), "between 100 ms and 10 minutes");
        Require(Margin >= TimeSpan.Zero && Margin < LeaseDuration / 3, nameof(LeaseMargin), "at least 0 and below a third of LeaseDuration");
        Require(PollInterval >= TimeSpan.FromMilliseconds(10) && PollInterval <= TimeSpan.FromMinutes(1),
            nameof(PollInterval), "between 10 ms and 1 minute");
        Require(DeadlockCheckAfter >= TimeSpan.FromMilliseconds(10), nameof(DeadlockCheckAfter), "at least 10 ms");
        Require(OperationTimeout > TimeSpan.Zero, nameof(OperationTimeout), "above 0");
        Require(WaitersMax >= 1, nameof(WaitersMax), "at least 1");
    }

    private static void Require(bool holds, string name, string rule)
    {
        if (!holds)
            throw new DbSyncException(ErrorCodes.InvalidOption, $"{nameof(RedisRangeLockOptions)}.{name} must be {rule}.", "Change it.");
    }
}
