namespace DbSync;

/// <summary>Puts nodes together, one after another over different files, and does to their files and their slot what needs a driver.</summary>
internal interface INodeFactory
{
    /// <summary>Opens the shards that <paramref name="node"/> names, and the primary.</summary>
    /// <param name="node">The node's identity.</param>
    /// <param name="timelineFollowed">Told before the first change of another timeline of the primary is applied.</param>
    /// <exception cref="DbSyncException">DBS4001 damaged, DBS4002 written by a newer version, DBS4005 another shard's file.</exception>
    SyncNode Create(NodeFile node, Action<uint> timelineFollowed);

    /// <summary>Compares tables with the primary's, at one position, while the node goes on; those that are equal are left out.</summary>
    /// <param name="tables">The tables.</param>
    /// <param name="share">How much of one server process's time on the primary it takes, above 0 and up to 1.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DbSyncException">DBS5004 when the node did not hold still, and what the primary says.</exception>
    Task<IReadOnlyList<TableDamage>> CompareAsync(IReadOnlyList<TableSchema> tables, double share, CancellationToken cancellationToken);

    /// <summary>Where the stream goes on for a node's files, and the layout that holds there; null when they have none.</summary>
    (Lsn Position, ShardLayout Layout)? PlaceOf(NodeFile node);

    /// <summary>Makes the file of a shard that the map has put on this node: empty, at the position of the others.</summary>
    void CreateShard(NodeFile node, NodeFile.Shard shard, Lsn position, ShardLayout layout);

    /// <summary>The node's slot.</summary>
    ISlotKeeper Slot { get; }

    /// <summary>Deletes a shard file, unless somebody has it open.</summary>
    bool TryDelete(string file);
}

/// <summary>How a table is unlike the primary's.</summary>
/// <param name="Table">The table.</param>
/// <param name="Rows">The rows that differ.</param>
/// <param name="IsWhole">Whether these are all of them; else the table has to be copied again.</param>
internal sealed record TableDamage(TableSchema Table, RowDamage Rows, bool IsWhole);

/// <summary>Makes a node's slot and gives it up.</summary>
internal interface ISlotKeeper
{
    /// <summary>Whether the primary that answers knows this node: a restored one does, one that the connection leads to by mistake doesn't.</summary>
    /// <exception cref="DbSyncException">DBS2001 when the primary can't be reached.</exception>
    Task<bool> IsKnownAsync(CancellationToken cancellationToken);

    /// <summary>Drops the slot; does nothing when there is none.</summary>
    /// <exception cref="DbSyncException">DBS3003 while somebody follows it.</exception>
    Task GiveUpAsync(CancellationToken cancellationToken);

    /// <summary>Makes the slot anew, which waits for the transactions that run now; or keeps the one that is there.</summary>
    /// <param name="keep">Whether one that has all its log is kept.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="DbSyncException">DBS3003 while somebody follows a slot that has to go.</exception>
    Task<SlotOrigin> MakeAsync(bool keep, CancellationToken cancellationToken);
}

/// <summary>Where a slot begins, and on which primary.</summary>
internal sealed record SlotOrigin(Lsn Start, string SystemIdentifier, uint Timeline);
