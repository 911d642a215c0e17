namespace DbSync;

/// <summary>What a node says and asks on the primary besides following the log, in the control schema.</summary>
internal interface IControlPlane
{
    /// <summary>Commits a heartbeat, synchronously, so that the log moves and its delay can be measured.</summary>
    Task<Beat> BeatAsync(string node, CancellationToken cancellationToken);

    /// <summary>The newest shard layout of a replica; null when it is not sharded. Without the known answers of the hash there is none.</summary>
    /// <exception cref="DbSyncException">DBS5101 when the primary or this process hashes differently.</exception>
    Task<ShardLayout?> ReadLayoutAsync(string replica, CancellationToken cancellationToken);

    /// <summary>Whether the primary logs each schema change by itself; and when not, a sign that is another one after each.</summary>
    Task<CatalogState> ReadCatalogAsync(string publication, CancellationToken cancellationToken);

    /// <summary>Has the primary log how every published table stands.</summary>
    Task LogSchemaAsync(CancellationToken cancellationToken);

    /// <summary>What the primary says of this node's slot; null when it is gone.</summary>
    Task<SlotHealth?> ReadSlotAsync(CancellationToken cancellationToken);

    /// <summary>The comparisons that somebody wants to make with this node and that nobody has answered.</summary>
    Task<IReadOnlyList<Guid>> OpenVerificationsAsync(string node, CancellationToken cancellationToken);

    /// <summary>Takes a snapshot that another session can import, and then the insert position.</summary>
    /// <param name="locked">Tables that are locked first, and stay so: what rewrites a table would leave it empty to an older snapshot.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task<ISharedSnapshot> TakeSnapshotAsync(IReadOnlyCollection<TableSchema> locked, CancellationToken cancellationToken);

    /// <summary>Tells the one who compares that the shards stand still at a position that equals the snapshot; null when that failed.</summary>
    Task AnswerAsync(Guid verification, ISharedSnapshot? snapshot, Lsn position, CancellationToken cancellationToken);

    /// <summary>Ends once the one who compares has opened both sides.</summary>
    Task WaitUntilTakenAsync(Guid verification, CancellationToken cancellationToken);
}

/// <summary>A heartbeat that was committed.</summary>
/// <param name="Position">A position at or after its commit.</param>
/// <param name="WriteTime">COMMIT sent to answered (Tw).</param>
/// <param name="ClockOffset">How far the primary's clock is ahead of this one's.</param>
internal sealed record Beat(Lsn Position, TimeSpan WriteTime, TimeSpan ClockOffset);

/// <summary>The health of a slot: how much log it makes the primary keep, and how much may be written before the primary gives it up.</summary>
internal sealed record SlotHealth(string Name, bool Active, string WalStatus, long RetainedBytes, long? BudgetBytes, Lsn PrimaryPosition);

/// <summary>A snapshot of the primary that is held open.</summary>
internal interface ISharedSnapshot : IAsyncDisposable
{
    TransactionSnapshot Snapshot { get; }

    /// <summary>The insert position, read after the snapshot.</summary>
    Lsn InsertedUpTo { get; }
}

/// <summary>How schema changes on the primary come to be known.</summary>
/// <param name="IsLogged">Whether each is logged where it happens.</param>
/// <param name="Fingerprint">When not, what differs after one.</param>
internal sealed record CatalogState(bool IsLogged, string Fingerprint);
