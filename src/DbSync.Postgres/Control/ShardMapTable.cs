using Npgsql;

namespace DbSync.Postgres;

/// <summary>The versions of a replica's shard map in the control schema.</summary>
internal static class ShardMapTable
{
    private const string Columns = "version, copies, spread, hash, shards::text, keys::text, owners";

    /// <summary>The newest layout; null when the replica is not sharded.</summary>
    public static async Task<ShardLayout?> ReadNewestAsync(NpgsqlConnection connection, string replica, CancellationToken cancellationToken)
    {
        await using (var exists = Primary.Command(connection, "SELECT pg_catalog.to_regclass('dbsync.shard_map') IS NOT NULL"))
        {
            if (!(bool)(await exists.ExecuteScalarAsync(cancellationToken))!) return null;
        }
        await using var command = Primary.Command(
            connection, $"SELECT {Columns} FROM dbsync.shard_map WHERE replica = $1 ORDER BY version DESC LIMIT 1", replica);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await ReadAsync(reader, cancellationToken);
    }

    /// <summary>The newest layout without buckets on their way; null when there is none.</summary>
    public static async Task<ShardLayout?> ReadAtRestAsync(NpgsqlConnection connection, string replica, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(
            connection, $"SELECT {Columns} FROM dbsync.shard_map WHERE replica = $1 AND hash = $2 ORDER BY version DESC LIMIT 1", replica, HashVectors.HashId);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await ReadAsync(reader, cancellationToken);
    }

    /// <summary>Adds a version; false when somebody else has added it.</summary>
    public static async Task<bool> TryInsertAsync(NpgsqlConnection connection, string replica, ShardLayout layout, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = Primary.Command(connection, InsertSql(replica, layout));
            await command.ExecuteNonQueryAsync(cancellationToken);
            return true;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return false;
        }
    }

    private static async Task<ShardLayout?> ReadAsync(NpgsqlDataReader reader, CancellationToken cancellationToken) => await reader.ReadAsync(cancellationToken)
        ? ShardLayout.Of(new ShardLayoutRow(
            reader.GetInt64(0), reader.GetInt32(1), reader.GetInt32(2), reader.GetString(3), reader.GetString(4), reader.GetString(5), reader.GetFieldValue<byte[]>(6)))
        : null;

    /// <summary>The statement that adds a version. The version's number is the comparison: it fails for whoever comes second.</summary>
    public static string InsertSql(string replica, ShardLayout layout)
    {
        var row = layout.ToRow();
        return FormattableString.Invariant(
            $"INSERT INTO dbsync.shard_map (replica, version, copies, spread, hash, shards, keys, owners) VALUES ({PgName.Literal(replica)}, {row.Version}, {row.Copies}, {row.Spread}, ")
            + $"{PgName.Literal(row.Hash)}, {PgName.Literal(row.Shards)}, {PgName.Literal(row.Keys)}, {PgName.Literal(@"\x" + Convert.ToHexStringLower(row.Owners))});";
    }
}
