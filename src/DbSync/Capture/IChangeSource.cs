namespace DbSync;

/// <summary>The primary's change log, as the engine sees it.</summary>
internal interface IChangeSource : IAsyncDisposable
{
    /// <summary>The tables that the publication holds now, DbSync's own among them.</summary>
    /// <exception cref="DbSyncException">DBS2001 when the primary can't be reached, DBS2013 when the publication is missing.</exception>
    Task<IReadOnlyList<TableSchema>> DescribeAsync(CancellationToken cancellationToken);

    /// <summary>The publication's entry for each of its tables (<see cref="TableSchema.Entry"/>); cheap enough to be asked every second.</summary>
    /// <exception cref="DbSyncException">DBS2001 when the primary can't be reached, DBS2013 when the publication is missing.</exception>
    Task<IReadOnlyDictionary<TableId, uint>> ReadEntriesAsync(CancellationToken cancellationToken);

    /// <summary>Opens the stream of whole transactions that end after <paramref name="position"/>, in commit order.</summary>
    /// <param name="position">The smallest position of the node's shards; nothing at or before it is acknowledged beyond it.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="DbSyncException">DBS2001 unreachable, DBS3002 no slot, DBS3003 slot in use, DBS3004 the slot was confirmed
    /// beyond <paramref name="position"/> (a gap), DBS3005 the slot lost its log, DBS3008 another primary.</exception>
    Task<IChangeStream> OpenAsync(Lsn position, CancellationToken cancellationToken);
}

/// <summary>An open stream of transactions. One thread reads it; any thread may acknowledge.</summary>
internal interface IChangeStream : IDisposable
{
    /// <summary>
    /// Blocks the calling thread and yields the parts of one transaction after another, and parts without changes when only the position
    /// moved. The receiver owns each part and returns it to <paramref name="pool"/>.
    /// </summary>
    /// <exception cref="DbSyncException">DBS2001 when the connection is lost, DBS3001 when the server sends what can't be.</exception>
    IEnumerable<TransactionPart> Read(PartPool pool, CancellationToken cancellationToken);

    /// <summary>True when more changes have arrived already: whoever reads should come back soon. For the reading thread.</summary>
    bool HasMore { get; }

    /// <summary>Confirms a position to the primary, which may then drop its log up to there. Never goes back.</summary>
    void Acknowledge(Lsn durable);

    /// <summary>
    /// Ends the stream in order, once nobody reads it any more: returns when the primary has heard what was acknowledged last, or is not there.
    /// </summary>
    void Close();

    /// <summary>Asks the primary to say where it is now; the answer comes as a part without changes.</summary>
    void RequestPosition();

    /// <summary>The newest position of the primary's log that the primary has told this stream.</summary>
    Lsn PrimaryPosition { get; }
}
