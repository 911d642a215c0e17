namespace DbSync.Locking;

/// <summary>Names one request at its lock server: the client's lease and the number of the request.</summary>
/// <param name="Client">The lease of the lock client (one per process and resource).</param>
/// <param name="Request">The request's number within that client.</param>
public readonly record struct LockEntryId(string Client, string Request)
{
    /// <summary>The form in which it is shown and typed: <c>client/request</c>.</summary>
    public override string ToString() => $"{Client}/{Request}";

    /// <summary>Reads the form <c>client/request</c>; false when it isn't that.</summary>
    public static bool TryParse(string? text, out LockEntryId id)
    {
        var slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        id = slash > 0 && slash < text!.Length - 1 ? new LockEntryId(text[..slash], text[(slash + 1)..]) : default;
        return id != default;
    }
}

/// <summary>One request, held or waiting.</summary>
/// <param name="Id">Its name, for <see cref="IRangeLockInspector.ReleaseAsync"/>.</param>
/// <param name="Owner">The owner it belongs to.</param>
/// <param name="Mode">The mode held or asked for.</param>
/// <param name="Ranges">The keys.</param>
/// <param name="Token">The fencing token; null while it waits.</param>
/// <param name="Age">Since the grant, or since the wait began.</param>
/// <param name="LeaseLeft">Until the client's lease ends unless renewed; null where there is no lease (in memory).</param>
/// <param name="WaitsFor">The conflicting requests before it, as far as they are in the snapshot; empty when it is held.</param>
public sealed record LockEntry(LockEntryId Id, string Owner, LockMode Mode, IReadOnlyList<KeyRange> Ranges, FencingToken? Token,
    TimeSpan Age, TimeSpan? LeaseLeft, IReadOnlyList<LockEntryId> WaitsFor)
{
    /// <summary>True when the lock is held, false while it waits.</summary>
    public bool IsHeld => Token is not null;
}

/// <summary>The locks of one resource at one moment.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Epoch">Its epoch at the lock server.</param>
/// <param name="TakenAt">When the snapshot was taken, by this process's clock.</param>
/// <param name="Entries">Holders by token, then waiters in the order in which they will be served.</param>
/// <param name="Truncated">True when there are more than <see cref="IRangeLockInspector.EntriesMax"/>.</param>
public sealed record LockSnapshot(LockResource Resource, long Epoch, DateTimeOffset TakenAt, IReadOnlyList<LockEntry> Entries, bool Truncated)
{
    /// <summary>The pairs (waiter, one it waits for) in this snapshot: the conflicts measured.</summary>
    public long Conflicts => Entries.Sum(entry => (long)entry.WaitsFor.Count);

    /// <summary>L = n(n-1)/2, the most pairs that n requests can be in conflict in, reached when all want one key exclusively (D12).</summary>
    public long ConflictsBound => (long)Entries.Count * (Entries.Count - 1) / 2;
}
