namespace DbSync.Sqlite;

/// <summary>The shard files of one node, in its data directory.</summary>
/// <param name="directory">The data directory.</param>
/// <param name="node">Which shards live here, and in which files.</param>
/// <param name="valueBytesMax">The largest value and the largest row, in bytes; SQLite's own limit unless given.</param>
internal sealed class ReplicaStore(string directory, NodeFile node, int? valueBytesMax = null) : IReplicaStore
{
    private readonly List<ShardFile> _shards = [];

    public IReadOnlyList<IShardStore> Open()
    {
        foreach (var shard in node.Shards)
            _shards.Add(new ShardFile(Path.Combine(directory, shard.File), new ShardIdentity(node.Replica, node.Node, new ShardId(shard.Id)), valueBytesMax));
        return _shards;
    }

    public void Dispose()
    {
        foreach (var shard in _shards) shard.Dispose();
        _shards.Clear();
    }
}
