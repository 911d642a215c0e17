namespace DbSync;

/// <summary>A value that no shard can hold: its table is set aside, and the rest goes on.</summary>
/// <param name="column">The column; null when it is the row as a whole, or not known.</param>
/// <param name="cause">Why it can't be stored.</param>
internal sealed class UnstorableValueException(string? column, DbSyncException cause) : DbSyncException(
    ErrorCodes.ValueUnstorable, cause.Message, "Its table is set aside; 'dbsync status' names it.", cause)
{
    public string? Column { get; } = column;

    /// <summary>Why, for people.</summary>
    public string Reason { get; } = cause.Message;
}
