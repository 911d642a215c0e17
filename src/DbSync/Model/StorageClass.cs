namespace DbSync;

/// <summary>The SQLite storage class that a column's values normally have, and so the type its column is declared with.</summary>
internal enum StorageClass : byte
{
    Integer = 1,
    Real = 2,
    Text = 3,
    Blob = 4,
}
