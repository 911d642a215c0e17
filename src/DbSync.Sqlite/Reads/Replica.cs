using Microsoft.Data.Sqlite;

namespace DbSync.Sqlite;

/// <summary>Opens a replica for reading from .NET, beside the <c>dbsync run</c> that keeps it up to date.</summary>
public static class Replica
{
    /// <summary>
    /// Opens the only shard in a data directory: read-only, with the collations that the replica's columns are declared with. One connection
    /// is one thread's; open a read transaction to see one position over several statements. When everything was copied again ('dbsync
    /// resync', a lost slot) an open connection goes on reading the old file, which stands still: open another one from time to time.
    /// </summary>
    /// <param name="dataDirectory">The node's data directory.</param>
    /// <returns>An open connection. Tables are named <c>table</c> or, outside <c>public</c>, <c>"schema.table"</c>.</returns>
    /// <exception cref="DbSyncException">DBS1002 no node there, DBS1001 more than one shard, DBS4004 the file can't be opened.</exception>
    public static SqliteConnection OpenRead(string dataDirectory)
    {
        var node = NodeFile.Load(dataDirectory);
        if (node.Shards.Count != 1)
            throw new DbSyncException(ErrorCodes.InvalidOption, $"The node holds {node.Shards.Count} shards.", "Name one: OpenRead(directory, shard).");
        return OpenRead(dataDirectory, node.Shards[0].Id);
    }

    /// <inheritdoc cref="OpenRead(string)"/>
    /// <param name="dataDirectory">The node's data directory.</param>
    /// <param name="shard">The shard's name, as <c>dbsync status</c> shows it.</param>
    public static SqliteConnection OpenRead(string dataDirectory, string shard)
    {
        var connections = new ReplicaConnections(dataDirectory);
        var node = NodeFile.Load(dataDirectory);
        while (true)
        {
            try
            {
                return connections.Open(node, shard);
            }
            catch (DbSyncException exception) when (exception.Code == ErrorCodes.StorageFailed)
            {
                var now = NodeFile.Load(dataDirectory);
                if (now.Shards.SequenceEqual(node.Shards)) throw;
                node = now; // the replica was copied anew into other files while this one was being opened
            }
        }
    }

    /// <summary>The position of the primary's log that a connection reads at.</summary>
    /// <param name="connection">A connection from <see cref="OpenRead(string)"/>.</param>
    public static Lsn PositionOf(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT applied_lsn FROM \"dbsync.shard\"";
        return new Lsn((ulong)(long)command.ExecuteScalar()!);
    }
}
