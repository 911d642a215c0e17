using System.Collections.Immutable;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Reads from the primary's catalog what a shard key's columns are; refuses those that can't be hashed alike on both sides.
/// </summary>
internal static class ShardKeyReader
{
    /// <summary>
    /// One row for each named column that exists: its type for people, the type beneath its domains, and whether equal texts have equal
    /// bytes under its collation and in this database's encoding.
    /// </summary>
    private const string Query = """
        WITH RECURSIVE named AS (
            SELECT attname, atttypid, atttypmod, attcollation
            FROM pg_catalog.pg_attribute
            WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attname = ANY ($2::text[])
        ), beneath(attname, type) AS (
            SELECT attname, atttypid FROM named
            UNION ALL
            SELECT beneath.attname, t.typbasetype
            FROM beneath JOIN pg_catalog.pg_type t ON t.oid = beneath.type WHERE t.typtype = 'd'
        )
        SELECT named.attname::text, pg_catalog.format_type(named.atttypid, named.atttypmod), t.oid, t.typtype = 'e',
               coalesce(c.collisdeterministic, true), pg_catalog.getdatabaseencoding() = 'UTF8'
        FROM named
        JOIN beneath ON beneath.attname = named.attname
        JOIN pg_catalog.pg_type t ON t.oid = beneath.type AND t.typtype <> 'd'
        LEFT JOIN pg_catalog.pg_collation c ON c.oid = named.attcollation
        """;

    /// <summary>The shard key of <paramref name="table"/> made of <paramref name="columns"/>, in this order.</summary>
    /// <exception cref="DbSyncException">A column doesn't exist, isn't published, or is of a type that can't be part of a shard
    /// key.</exception>
    public static async Task<ShardKey> ReadAsync(
        NpgsqlConnection connection,
        TableSchema table,
        ImmutableArray<string> columns,
        CancellationToken cancellationToken)
    {
        var kinds = await ReadKindsAsync(connection, table.Id.Oid, table.ReplicaName, columns, cancellationToken);
        return new ShardKey(table.ReplicaName, [.. columns.Select(Resolve)]);

        ShardKeyColumn Resolve(string name, int at)
        {
            var published = table.Columns.FirstOrDefault(column => column.Name == name) ?? throw NoColumn(table.ReplicaName, name);
            return new ShardKeyColumn(table.Columns.IndexOf(published), name, kinds[at]);
        }
    }

    /// <summary>How the columns of a shard key are hashed, in this order.</summary>
    /// <inheritdoc cref="ReadAsync"/>
    public static async Task<ImmutableArray<HashKind>> ReadKindsAsync(
        NpgsqlConnection connection,
        uint oid,
        string table,
        ImmutableArray<string> columns,
        CancellationToken cancellationToken)
    {
        if (columns.Length is 0 or > ShardKey.ColumnsMax || columns.Distinct(StringComparer.Ordinal).Count() != columns.Length)
            throw Refuse(table, $"A shard key of {table} needs 1 to {ShardKey.ColumnsMax} columns, each named once.");
        var types = await ReadTypesAsync(connection, oid, table, columns, cancellationToken);
        return [.. columns.Select(name => types.TryGetValue(name, out var type) ? type.ToHashKind() : throw NoColumn(table, name))];
    }

    private static async Task<Dictionary<string, ShardKeyType>> ReadTypesAsync(
        NpgsqlConnection connection,
        uint oid,
        string table,
        ImmutableArray<string> columns,
        CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Query, connection);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = oid });
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. columns] });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var types = new Dictionary<string, ShardKeyType>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken))
        {
            var name = reader.GetString(0);
            types[name] = new ShardKeyType(
                table,
                name,
                reader.GetString(1),
                reader.GetFieldValue<uint>(2),
                reader.GetBoolean(3),
                reader.GetBoolean(4),
                reader.GetBoolean(5));
        }

        return types;
    }

    private static DbSyncException NoColumn(string table, string column) => Refuse(table, $"{table} has no published column {column} to be sharded by.");

    private static DbSyncException Refuse(string table, string message) => new(
        ErrorCodes.UnsupportedShardKey,
        message,
        $"Name columns of {table} that are published and NOT NULL.");
}
