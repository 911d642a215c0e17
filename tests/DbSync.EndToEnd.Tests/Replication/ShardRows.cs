using DbSync.Sqlite;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>Looks into a shard file beside the node that writes it.</summary>
internal static class ShardRows
{
    /// <summary>How many rows a reader sees in a table.</summary>
    public static long Count(string file, string table) => Integer(file, $"SELECT count(*) FROM {SqlName.Quote(table)}");

    /// <summary>What a query gives that gives one integer.</summary>
    public static long Integer(string file, string sql)
    {
        using var database = new SqliteDatabase(file, Path.GetFileName(file), readOnly: true);
        SqliteCollations.RegisterBuiltIn(database.Handle);
        return database.QueryInteger(sql);
    }
}
