using DbSync.Sqlite;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>Where a shard file says it stands.</summary>
internal static class ShardPositions
{
    public static Lsn Of(string file)
    {
        using var database = new SqliteDatabase(file, Path.GetFileName(file), readOnly: true);
        return new Lsn((ulong)database.QueryInteger("SELECT applied_lsn FROM \"dbsync.shard\""));
    }
}
