using Microsoft.Data.Sqlite;

namespace DbSync.Sqlite;

/// <summary>Opens a replica for reading from .NET, beside the <c>dbsync run</c> that keeps it up to date.</summary>
public static class Replica
{
    /// <summary>
    /// Opens a replica: read-only, with the collations that its columns are declared with. One connection is one thread's. With one shard,
    /// open a read transaction to see one position over several statements. With several shards the connection is over all of them, and
    /// stands at the position at which it was opened, until <see cref="Refresh"/>. When everything was copied again ('dbsync resync', a lost
    /// slot) an open connection goes on reading the old files, which stand still: open another one from time to time.
    /// </summary>
    /// <param name="dataDirectory">The node's data directory.</param>
    /// <returns>An open connection. Tables are named <c>table</c> or, outside <c>public</c>, <c>"schema.table"</c>.</returns>
    /// <exception cref="DbSyncException">DBS1002 no node there, DBS4004 a file can't be opened, DBS8005 the shards are at different positions,
    /// DBS8006 some shards are on other nodes.</exception>
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

    /// <summary>The shard of this node to ask for rows of one shard key: <c>OpenRead(directory, ShardOf(directory, "orders", 42))</c>.</summary>
    /// <param name="dataDirectory">The node's data directory.</param>
    /// <param name="table">A table, as the replica names it; of one that is not sharded every shard holds all rows.</param>
    /// <param name="key">The values of the table's shard key, in its order: integers, Guid, string, bool or byte[].</param>
    /// <exception cref="DbSyncException">DBS1002 no node there, DBS1001 other values than the key's, DBS8006 the shard is on another node.</exception>
    public static string ShardOf(string dataDirectory, string table, params object[] key)
    {
        var node = NodeFile.Load(dataDirectory);
        using var first = new ReplicaConnections(dataDirectory).Open(node, node.Shards[0].Id);
        if (ShardUnion.LayoutOf(first) is not { } layout || layout.Keys.GetValueOrDefault(table) is not { } rule) return node.Shards[0].Id;
        if (rule.BucketOf(key) is not { } bucket)
            throw new DbSyncException(ErrorCodes.InvalidOption, $"{table} is sharded by {string.Join(", ", rule.Columns)}.", "Give one value of the column's type for each.");
        foreach (var owner in layout.Map.OwnersOf(bucket))
        {
            var id = layout.Map.Topology.Shards[owner].Id.Name;
            if (node.Shards.Any(s => s.Id == id)) return id;
        }
        throw new DbSyncException(ErrorCodes.NotAllHere, "The shard that holds this key is on another node.", "Ask that node, or the primary.");
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
