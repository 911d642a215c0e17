using System.Collections.Concurrent;

namespace DbSync;

/// <summary>Keeps used <see cref="TransactionPart"/>s for the next transactions, so that streaming allocates nothing per row.</summary>
/// <param name="initialBytes">The capacity of a new part's buffer, in bytes.</param>
/// <param name="keptCountMax">How many parts are kept at most.</param>
/// <param name="keptBytesMax">A part whose buffer has grown beyond this many bytes is not kept.</param>
internal sealed class PartPool(int initialBytes, int keptCountMax, int keptBytesMax)
{
    private readonly ConcurrentQueue<TransactionPart> _kept = new();
    private long _keptBytes;

    public TransactionPart Rent()
    {
        if (!_kept.TryDequeue(out var part)) return new TransactionPart(initialBytes);
        Interlocked.Add(ref _keptBytes, -part.Changes.Capacity);
        return part;
    }

    public void Return(TransactionPart part)
    {
        part.Reset();
        if (_kept.Count >= keptCountMax || Interlocked.Read(ref _keptBytes) + part.Changes.Capacity > keptBytesMax) return;
        Interlocked.Add(ref _keptBytes, part.Changes.Capacity);
        _kept.Enqueue(part);
    }
}
