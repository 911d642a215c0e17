using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

/// <summary>Holds the writer of a node's first shard up, until it is disposed: the node lives and receives, and nothing of it becomes visible.</summary>
internal sealed class ApplyBrake : IDisposable
{
    private readonly SqliteDatabase _shard;

    public ApplyBrake(NodeUnderTest node)
    {
        _shard = new SqliteDatabase(Path.Combine(node.DataPath, NodeFile.Load(node.DataPath).Shards[0].File), "shard");
        _shard.Execute("BEGIN IMMEDIATE");
    }

    public void Dispose()
    {
        _shard.Execute("ROLLBACK");
        _shard.Dispose();
    }
}
