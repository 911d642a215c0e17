namespace DbSync;

/// <summary>Looks at what the node's slot makes the primary keep, and gives it up before that is more than this node may.</summary>
/// <param name="control">The primary.</param>
/// <param name="interval">How often to look.</param>
/// <param name="retainedBytesMax">The limit, in bytes; null for the primary's own.</param>
/// <param name="time">The clock.</param>
internal sealed class SlotWatch(IControlPlane control, TimeSpan interval, long? retainedBytesMax, TimeProvider time)
{
    private static readonly TimeSpan RateWindow = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RateSpanMin = TimeSpan.FromSeconds(1);
    private readonly Queue<(long At, Lsn Position)> _looks = new();

    /// <summary>What was seen last; null before the first look.</summary>
    public SlotStatus? Status { get; private set; }

    /// <exception cref="DbSyncException">DBS3052 when the slot keeps more than it may.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                if (await control.ReadSlotAsync(cancellationToken) is { } slot) Look(slot);
            }
            catch (DbSyncException exception) when (ErrorCodes.IsPassing(exception.Code))
            {
                // The pipeline reports a primary that is away.
            }
            await Task.Delay(interval, time, cancellationToken);
        }
    }

    /// <summary>Takes one look.</summary>
    /// <exception cref="DbSyncException">DBS3052 when the slot keeps more than it may.</exception>
    public void Look(SlotHealth slot)
    {
        var rate = RateAt(slot.PrimaryPosition);
        var own = retainedBytesMax - slot.RetainedBytes;
        var budget = slot.BudgetBytes is { } theirs ? Math.Min(theirs, own ?? long.MaxValue) : own;
        Status = new SlotStatus(slot.RetainedBytes, budget, rate, rate > 0 && budget is { } left ? Math.Max(0, left) / rate * 1000 : null);
        if (own < 0)
            throw new DbSyncException(
                ErrorCodes.SlotOverBudget,
                $"The slot makes the primary keep {slot.RetainedBytes} bytes of log, and this node may make it keep {retainedBytesMax}.",
                "Find out what holds the node up ('dbsync status'), or raise --max-retained-wal.");
    }

    /// <summary>The bytes of log written each second, over the last minute.</summary>
    private double? RateAt(Lsn position)
    {
        var now = time.GetTimestamp();
        _looks.Enqueue((now, position));
        while (_looks.Count > 2 && time.GetElapsedTime(_looks.Peek().At, now) > RateWindow) _looks.Dequeue();
        var (at, before) = _looks.Peek();
        var span = time.GetElapsedTime(at, now);
        return span < RateSpanMin || position < before ? null : Lsn.BytesBetween(position, before) / span.TotalSeconds;
    }
}
