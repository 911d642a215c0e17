using System.Collections.Concurrent;

namespace DbSync.Tests.Pipeline;

/// <summary>A change log made up by the test: one stream after another, each as the test says.</summary>
internal sealed class FakeSource(Func<Lsn, FakeStream> open) : IChangeSource
{
    public Task<IReadOnlyList<TableSchema>> DescribeAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<TableSchema>>([]);

    public Task<IReadOnlyDictionary<TableId, uint>> ReadEntriesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<TableId, uint>>(new Dictionary<TableId, uint>());

    public Task<IChangeStream> OpenAsync(Lsn position, CancellationToken cancellationToken) => Task.FromResult<IChangeStream>(open(position));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>A stream that yields what <paramref name="parts"/> makes, and remembers what was acknowledged.</summary>
internal sealed class FakeStream(Func<PartPool, IEnumerable<TransactionPart>> parts) : IChangeStream
{
    public ConcurrentQueue<Lsn> Acknowledged { get; } = new();

    /// <summary>Called with each acknowledged position.</summary>
    public Action<Lsn> OnAcknowledge { get; init; } = _ => { };

    public Lsn PrimaryPosition { get; private set; }

    public bool HasMore { get; init; }

    public IEnumerable<TransactionPart> Read(PartPool pool, CancellationToken cancellationToken)
    {
        foreach (var part in parts(pool))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (part.Ends) PrimaryPosition = part.EndLsn;
            yield return part;
        }
        throw new DbSyncException(ErrorCodes.PrimaryUnreachable, "The stream is at its end.");
    }

    public void Acknowledge(Lsn durable)
    {
        OnAcknowledge(durable);
        Acknowledged.Enqueue(durable);
    }

    /// <summary>True when the stream was ended in order, and not just dropped.</summary>
    public bool Closed { get; private set; }

    public void Close() => Closed = true;

    public void RequestPosition()
    {
    }

    public void Dispose()
    {
    }
}
