namespace DbSync;

/// <summary>Keeps used <see cref="TransactionPart"/>s for the next transactions, so that streaming allocates nothing per row.</summary>
/// <param name="initialBytes">The capacity of a new part's buffer, in bytes.</param>
/// <param name="keptCountMax">How many parts are kept at most.</param>
/// <param name="keptBytesMax">Parts are kept up to so many bytes of capacity in all.</param>
internal sealed class PartPool(int initialBytes, int keptCountMax, long keptBytesMax)
{
    private readonly Lock _gate = new();
    private readonly Stack<TransactionPart> _kept = new(); // the one used last is the one still in the processor's cache
    private long _keptBytes;

    public TransactionPart Rent()
    {
        lock (_gate)
        {
            if (_kept.TryPop(out var part))
            {
                _keptBytes -= part.Changes.Capacity;
                return part;
            }
        }
        return new TransactionPart(initialBytes);
    }

    /// <summary>A part without changes: only the position moves.</summary>
    public TransactionPart RentPosition(Lsn position, long receivedAt)
    {
        var part = Rent();
        (part.EndLsn, part.Begins, part.Ends, part.ReceivedAt) = (position, true, true, receivedAt);
        return part;
    }

    public void Return(TransactionPart part)
    {
        part.Reset();
        lock (_gate)
        {
            if (_kept.Count >= keptCountMax || _keptBytes + part.Changes.Capacity > keptBytesMax) return;
            _keptBytes += part.Changes.Capacity;
            _kept.Push(part);
        }
    }
}
