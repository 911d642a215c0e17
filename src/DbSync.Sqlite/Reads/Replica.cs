using Microsoft.Data.Sqlite;

namespace DbSync.Sqlite;

/// <summary>Opens a replica for reading from .NET, beside the <c>dbsync run</c> that keeps it up to date.</summary>
public static class Replica
{
    /// <summary>
    /// Opens a replica: read-only, with the collations that its columns are declared with. One connection is one thread's. With one shard,
    /// open a read transaction to see one position over several statements. With several shards the connection is over all of them, and
    /// stands at the position at which it was opened, until <see cref="Refresh"/>.
    /// </summary>
    /// <param name="dataDirectory">The node's data directory.</param>
    /// <returns>An open connection. Tables are named <c>table</c> or, outside <c>public</c>, <c>"schema.table"</c>.</returns>
    /// <exception cref="DbSyncException">DBS1002 no node there, DBS4004 a file can't be opened, DBS8005 the shards are at different positions.</exception>
    public static SqliteConnection OpenRead(string dataDirectory)
    {
        var node = NodeFile.Load(dataDirectory);
        var connection = new ReplicaConnections(dataDirectory).OpenAll(node);
        if (node.Shards.Count == 1) return connection;
        try
        {
            ShardUnion.Begin(connection, node.Shards.Count);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Moves a connection over several shards to the newest position that all of them have; nothing else may be open on it.</summary>
    /// <param name="connection">A connection from <see cref="OpenRead(string)"/>.</param>
    /// <exception cref="DbSyncException">DBS8005 when the shards are at different positions.</exception>
    public static void Refresh(SqliteConnection connection)
    {
        var shards = ShardUnion.CountOf(connection);
        if (shards == 1) return;
        ShardUnion.End(connection);
        ShardUnion.Begin(connection, shards);
    }

    /// <inheritdoc cref="OpenRead(string)"/>
    /// <param name="dataDirectory">The node's data directory.</param>
    /// <param name="shard">The shard's name, as <c>dbsync status</c> shows it.</param>
    public static SqliteConnection OpenRead(string dataDirectory, string shard) =>
        new ReplicaConnections(dataDirectory).Open(NodeFile.Load(dataDirectory), shard);

    /// <summary>The position of the primary's log that a connection reads at.</summary>
    /// <param name="connection">A connection from <see cref="OpenRead(string)"/>.</param>
    public static Lsn PositionOf(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT applied_lsn FROM \"dbsync.shard\"";
        return new Lsn((ulong)(long)command.ExecuteScalar()!);
    }
}
