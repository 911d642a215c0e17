using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Sees to it that the schema <c>dbsync</c> is what DbSync made. Whoever may create schemas could have made it first, with functions, triggers and
/// constraints that would run with the rights of who sets DbSync up.
/// </summary>
internal static class ControlSchemaGuard
{
    /// <summary>What a migration that ran before DbSync was set up has left: see migrations/postgres/0080_table_choices.sql.</summary>
    private const string ChoiceColumns = "relation regclass, placement text, shard_key text[], hidden text[], placed_as text, taken_from text[]";

    // A plain table's columns of these types run no code of its owner's when they are read.
    private const string ChoiceSql =
        """
        SELECT CASE WHEN c.relkind = 'r' AND NOT c.relrowsecurity THEN (
            SELECT pg_catalog.string_agg(pg_catalog.concat(a.attname, ' ', pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0) END
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'dbsync' AND c.relname = 'table_choice'
        """;

    private const string RowsSql = "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(t)), '[]')::text FROM ONLY dbsync.table_choice AS t";

    private const string ContentSql =
        """
        SELECT pg_catalog.string_agg(pg_catalog.pg_describe_object(d.classid, d.objid, 0), ', ')
        FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_namespace AS n ON n.oid = d.refobjid
        WHERE n.nspname = 'dbsync' AND d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.deptype = 'n'
        """;

    private const string RestoreSql =
        """
        CREATE TABLE dbsync.table_choice (
            relation regclass PRIMARY KEY,
            placement text NOT NULL CHECK (placement IN ('default', 'sharded', 'reference', 'none')),
            shard_key text[] NOT NULL DEFAULT '{}',
            hidden text[] NOT NULL DEFAULT '{}',
            placed_as text,
            taken_from text[] NOT NULL DEFAULT '{}'
        )
        """;

    private const string OwnerSql =
        """
        SELECT o.rolname, o.rolsuper OR NOT me.rolsuper
        FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_roles AS o ON o.oid = n.nspowner CROSS JOIN pg_catalog.pg_roles AS me
        WHERE n.nspname = 'dbsync' AND me.rolname = current_user
        """;

    /// <summary>
    /// Where DbSync was set up before: whoever owns its schema may change all that is in it, and is trusted with the rights of who uses it. Plain roles work
    /// with what the set-up's owner has granted them; a superuser's rights are nobody else's.
    /// </summary>
    /// <exception cref="DbSyncException">DBS2014 when this role is a superuser and the owner is none.</exception>
    public static async Task CheckAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, OwnerSql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken) || reader.GetBoolean(1)) return;
        var owner = reader.GetString(0);
        throw new DbSyncException(
            ErrorCodes.ControlSchemaForeign, $"The schema dbsync on the primary belongs to {owner}, who could change what runs there with this role's rights.",
            $"Work as {owner}; or, if DbSync's set-up is not {owner}'s, look at what is in the schema, drop it, and run 'dbsync init'.");
    }

    /// <summary>
    /// Where DbSync was not set up yet: makes the schema, or makes it anew when it is there, with the choices that migrations have left in it. Nobody
    /// else owns anything in it afterwards.
    /// </summary>
    /// <exception cref="DbSyncException">DBS2014 when it holds something else, or is not this role's to drop.</exception>
    public static async Task MakeAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var exists = await ScalarAsync(connection, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'dbsync'", cancellationToken) is not null;
        var rows = exists ? await TakeAsync(connection, cancellationToken) : null;
        await ExecuteAsync(connection, "CREATE SCHEMA dbsync", cancellationToken);
        if (rows is not null) await RestoreChoicesAsync(connection, rows, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Drops the schema and returns the choices that were in it.</summary>
    private static async Task<string?> TakeAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            var rows = await TakeChoicesAsync(connection, cancellationToken);
            if (await ScalarAsync(connection, ContentSql, cancellationToken) is string content) throw Foreign($"it holds {content}.", null);
            await ExecuteAsync(connection, "DROP SCHEMA dbsync RESTRICT", cancellationToken);
            return rows;
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.DependentObjectsStillExist or PostgresErrorCodes.InsufficientPrivilege)
        {
            throw Foreign($"{exception.MessageText}.", exception);
        }
    }

    private static async Task<string?> TakeChoicesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (await ScalarAsync(connection, ChoiceSql, cancellationToken) is not ChoiceColumns) return null;
        await ExecuteAsync(connection, "LOCK TABLE dbsync.table_choice IN ACCESS EXCLUSIVE MODE", cancellationToken); // from here on it stays what it is
        if (await ScalarAsync(connection, ChoiceSql, cancellationToken) is not ChoiceColumns) throw Foreign("dbsync.table_choice is not as migrations make it.", null);
        var rows = (string)(await ScalarAsync(connection, RowsSql, cancellationToken))!;
        await ExecuteAsync(connection, "DROP TABLE dbsync.table_choice RESTRICT", cancellationToken);
        return rows;
    }

    private static async Task RestoreChoicesAsync(NpgsqlConnection connection, string rows, CancellationToken cancellationToken)
    {
        await ExecuteAsync(connection, RestoreSql, cancellationToken);
        await using var restore = Primary.Command(connection, "INSERT INTO dbsync.table_choice SELECT * FROM pg_catalog.jsonb_populate_recordset(NULL::dbsync.table_choice, $1::jsonb)", rows);
        await restore.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, sql);
        return await command.ExecuteScalarAsync(cancellationToken) is { } value and not DBNull ? value : null;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static DbSyncException Foreign(string what, Exception? cause) => new(
        ErrorCodes.ControlSchemaForeign, $"The primary has a schema dbsync that DbSync did not make, or that is not this role's: {what}",
        "Look at what is in it. If it is nobody's, drop it as its owner or an administrator; if migrations made it, run 'dbsync init' as their role or as an administrator.", cause);
}
