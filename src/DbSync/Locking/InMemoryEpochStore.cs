using System.Collections.Concurrent;

namespace DbSync.Locking;

/// <summary>Epochs that live as long as the process: for tests, and for locks that no fence checks.</summary>
public sealed class InMemoryEpochStore : IEpochStore
{
    private readonly ConcurrentDictionary<LockResource, long> _epochs = new();

    /// <inheritdoc />
    public ValueTask<long> ReadAsync(LockResource resource, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_epochs.GetValueOrDefault(resource));

    /// <inheritdoc />
    public ValueTask<long?> AdvanceAsync(LockResource resource, long seen, CancellationToken cancellationToken)
    {
        if (seen >= FencingToken.EpochMax) throw LockErrors.EpochsUsedUp(resource);
        var raised = seen == 0
            ? _epochs.TryAdd(resource, 1) || _epochs.TryUpdate(resource, 1, 0)
            : _epochs.TryUpdate(resource, seen + 1, seen);
        return ValueTask.FromResult<long?>(raised ? seen + 1 : null);
    }
}
