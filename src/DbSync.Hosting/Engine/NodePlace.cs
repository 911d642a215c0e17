namespace DbSync.Hosting;

/// <summary>Where a node's parts are, and whose they should be.</summary>
/// <param name="Primary">The primary: Npgsql's connection string.</param>
/// <param name="DataDirectory">The node's data directory.</param>
/// <param name="Replica">The replica that the directory must belong to; null for any.</param>
/// <param name="Node">The node that it must belong to; null for any.</param>
/// <param name="SpillBytesMax">How much of transactions in progress the data directory may hold, in bytes; null for the default.</param>
internal sealed record NodePlace(string Primary, string DataDirectory, string? Replica = null, string? Node = null, long? SpillBytesMax = null)
{
    public override string ToString() => DataDirectory; // a connection string has no place in a log
}
