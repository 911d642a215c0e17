namespace DbSync;

/// <summary>
/// What one cell of a row holds on its way from the primary to a shard: a value in the storage class that SQLite will store,
/// or a note that the primary did not send the value because it did not change (TOAST).
/// </summary>
internal enum CellKind : byte
{
    Null = 0,
    Integer = 1,
    Real = 2,
    Text = 3,
    Blob = 4,
    Unchanged = 5,
}
