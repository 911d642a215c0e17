using Microsoft.Data.Sqlite;

namespace DbSync.Sqlite;

/// <summary>Opens shards for reading with Microsoft.Data.Sqlite: what SQL and LINQ reads go through.</summary>
/// <param name="directory">The data directory.</param>
/// <param name="create">Makes a connection of a connection string; a plain one unless given.</param>
internal sealed class ReplicaConnections(string directory, Func<string, SqliteConnection>? create = null)
{
    /// <summary>Opens all shards of the node as one; what is read outside a transaction of <see cref="ShardUnion.Begin"/> is no one position.</summary>
    /// <exception cref="DbSyncException">DBS4004 a file can't be opened, DBS8006 some shards are elsewhere.</exception>
    public SqliteConnection OpenAll(NodeFile node)
    {
        var connection = Open(node, node.Shards[0].Id);
        if (ShardUnion.LayoutOf(connection) is { } layout && !layout.IsHeldBy(node.Shards.Select(s => s.Id)))
        {
            connection.Dispose();
            throw new DbSyncException(ErrorCodes.NotAllHere, "This node holds some of the replica's shards only.", "Ask one shard by its name, or the primary.");
        }
        if (node.Shards.Count == 1) return connection;
        try
        {
            if (node.Shards.Count > ShardUnion.ShardsMax)
            {
                ShardUnion.Scan(connection, [.. node.Shards.Select(s => Open(node, s.Id))]);
                return connection;
            }
            ShardUnion.Attach(connection, [.. node.Shards.Select(s => Path.Combine(directory, s.File))]);
            ShardUnion.CreateViews(connection, node.Shards.Count);
            return connection;
        }
        catch (SqliteException exception)
        {
            connection.Dispose();
            throw new DbSyncException(
                ErrorCodes.StorageFailed, $"The node's shards can't be read together ({exception.SqliteErrorCode}: {exception.Message}).", "If nothing was copied yet, start 'dbsync run' first.", exception);
        }
    }

    /// <summary>Opens a shard's current file, read-only, with every collation that its columns are declared with.</summary>
    /// <exception cref="DbSyncException">DBS1001 no such shard here, DBS4004 the file can't be opened, DBS4006 it is a link.</exception>
    public SqliteConnection Open(NodeFile node, string shard)
    {
        var here = node.Shards.FirstOrDefault(s => s.Id == shard) ?? throw new DbSyncException(
            ErrorCodes.InvalidOption, $"Shard '{shard}' is not on this node.", $"Here: {string.Join(", ", node.Shards.Select(s => s.Id))}.");
        SqliteDatabase.RefuseLink(Path.Combine(directory, here.File), here.File);
        var address = new SqliteConnectionStringBuilder { DataSource = Path.Combine(directory, here.File), Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ConnectionString;
        var connection = create?.Invoke(address) ?? new SqliteConnection(address);
        try
        {
            SQLitePCL.Batteries_V2.Init();
            connection.Open();
            Prepare(connection);
            return connection;
        }
        catch (SqliteException exception)
        {
            connection.Dispose();
            throw new DbSyncException(
                ErrorCodes.StorageFailed, $"'{here.File}' can't be read ({exception.SqliteErrorCode}).", "If nothing was copied yet, start 'dbsync run' first.", exception);
        }
    }

    /// <summary>Registers the collations on an open connection and closes it to writes.</summary>
    public static void Prepare(SqliteConnection connection)
    {
        var handle = connection.Handle!.DangerousGetHandle();
        SqliteCollations.RegisterBuiltIn(handle);
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA query_only = ON; PRAGMA case_sensitive_like = ON; PRAGMA trusted_schema = OFF";
        command.ExecuteNonQuery();
        foreach (var (name, labels) in ReadEnums(connection)) SqliteCollations.RegisterEnum(handle, name, labels);
    }

    private static List<(string Name, string[] Labels)> ReadEnums(SqliteConnection connection)
    {
        var enums = new List<(string, string[])>();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT collation, labels FROM \"dbsync.enum\"";
        using var reader = command.ExecuteReader();
        while (reader.Read()) enums.Add((reader.GetString(0), System.Text.Json.JsonSerializer.Deserialize<string[]>(reader.GetString(1))!));
        return enums;
    }
}
