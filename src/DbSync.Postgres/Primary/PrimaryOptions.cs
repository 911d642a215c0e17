namespace DbSync.Postgres;

/// <summary>Where the primary is and what of it this node follows.</summary>
internal sealed record PrimaryOptions
{
    /// <summary>Npgsql's connection string. Off loopback, TLS with <c>SSL Mode=VerifyFull</c> is the default.</summary>
    public required string ConnectionString { get; init; }

    public string Publication { get; init; } = "dbsync_main";

    public string Slot { get; init; } = "dbsync_main";

    /// <summary>The position at which the slot was made; where a shard that has nothing yet begins.</summary>
    public Lsn StartPosition { get; init; }

    /// <summary>How often the stream tells the primary that it lives.</summary>
    public TimeSpan StatusInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A stream that has brought nothing for so long is taken for dead.</summary>
    public TimeSpan SilenceMax { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>A transaction's decoded changes are handed on beyond this many bytes: with a usual row on top, a part keeps to 64 KiB.</summary>
    public int PartBytesMax { get; init; } = 60 << 10;

    /// <summary>A backlog of at least so much log is read through SQL instead of the walsender, in bytes.</summary>
    public long DrainLeastBytes { get; init; } = 24L << 20;

    /// <summary>The log that one such query decodes, in bytes.</summary>
    public long DrainPieceBytes { get; init; } = 48L << 20;

    /// <summary>The most log that one query may have to go through, where transactions began long before its piece, in bytes.</summary>
    public long DrainDecodedBytesMax { get; init; } = 512L << 20;

    /// <summary>How long the walsender is used instead after a query has failed.</summary>
    public TimeSpan DrainPause { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Where transactions are kept that the primary streams before their end; null: the primary keeps them.</summary>
    public string? SpillDirectory { get; init; }

    /// <summary>What may be kept there for all of them together, in bytes.</summary>
    public long SpillBytesMax { get; init; } = 64L << 30;

    /// <summary>How long the primary keeps them instead, after that was too little.</summary>
    public TimeSpan SpillPause { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long to wait for a table's lock before a chunk, so that nobody queues behind us; shorter than PostgreSQL's deadlock_timeout, so that in a
    /// circle with the application's own DDL it is the copy that gives way.
    /// </summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromMilliseconds(500);
}
