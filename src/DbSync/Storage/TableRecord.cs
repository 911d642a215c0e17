namespace DbSync;

/// <summary>What a shard knows of one table, kept in the same file as its rows.</summary>
/// <param name="Schema">The table as this shard stores it.</param>
/// <param name="State">How far its copy has come.</param>
/// <param name="Planned">Whether the chunks have been recorded.</param>
/// <param name="ReadableFrom">While catching up: the position from which the table may be read.</param>
/// <param name="ChunksCopied">Once it is live: in how many chunks it was copied.</param>
internal sealed record TableRecord(TableSchema Schema, TableState State, bool Planned, Lsn ReadableFrom, int ChunksCopied = 0)
{
    /// <summary>The position from which a table may be read that is suspect: none, until it is mended.</summary>
    public static Lsn Never { get; } = new(long.MaxValue);

    /// <summary>Its rows are here, and may be unlike the primary's.</summary>
    public bool IsSuspect => State == TableState.CatchingUp && ReadableFrom == Never;
}

/// <summary>Why a table is set aside.</summary>
/// <param name="Column">The column with the value that can't be stored; null when it is the row as a whole.</param>
/// <param name="Position">The commit that brought the value, or the shard's position when a copy did.</param>
/// <param name="Reason">Why it can't be stored, for people.</param>
internal sealed record Quarantine(string? Column, Lsn Position, string Reason);

/// <summary>A range of keys that is copied in one transaction of the primary.</summary>
/// <param name="Number">Its place in the table, from 0.</param>
/// <param name="Lower">The first key, or null for no lower end.</param>
/// <param name="Upper">The first key that is no longer in the chunk, or null for no upper end.</param>
/// <param name="Snapshot">The snapshot its rows were read with; null until they are here.</param>
/// <param name="Rows">How many rows were copied into this shard.</param>
internal sealed record ChunkRecord(int Number, ChunkBound? Lower, ChunkBound? Upper, TransactionSnapshot? Snapshot, long Rows);

/// <summary>A key at which a chunk ends, in both forms that are needed.</summary>
/// <param name="Literals">The key's values in PostgreSQL's text form, for the statement that reads the chunk.</param>
/// <param name="Cells">The same values as stored cells, to judge a change's key here.</param>
internal sealed record ChunkBound(IReadOnlyList<string> Literals, byte[] Cells);
