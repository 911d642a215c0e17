namespace DbSync.EntityFrameworkCore.Migrating;

/// <summary>
/// The calls of the control schema that migrations make. Each is a statement of its own that also runs inside another block, as idempotent
/// scripts need it.
/// </summary>
internal static class SyncSql
{
    /// <summary>Says how a table is replicated; before <c>dbsync init</c> it is only written down, for init to find.</summary>
    /// <param name="table">The table's delimited name.</param>
    /// <param name="placement"><c>default</c>, <c>sharded</c>, <c>reference</c> or <c>none</c>.</param>
    /// <param name="key">The columns it is sharded by.</param>
    /// <param name="hidden">The columns that stay on the primary.</param>
    public static string Choose(string table, string placement, string[] key, string[] hidden)
    {
        var values = $"{Literal(table)}::regclass, '{placement}', {Array(key)}, {Array(hidden)}";
        return $"""
            DO $dbsync$ BEGIN
                IF pg_catalog.to_regprocedure('dbsync.choose_table(regclass,text,text[],text[])') IS NOT NULL THEN
                    PERFORM dbsync.choose_table({values});
                ELSE
                    CREATE SCHEMA IF NOT EXISTS dbsync;
                    CREATE TABLE IF NOT EXISTS dbsync.table_choice (
                        relation regclass PRIMARY KEY,
                        placement text NOT NULL CHECK (placement IN ('default', 'sharded', 'reference', 'none')),
                        shard_key text[] NOT NULL DEFAULT ARRAY[]::text[],
                        hidden text[] NOT NULL DEFAULT ARRAY[]::text[],
                        placed_as text,
                        taken_from text[] NOT NULL DEFAULT ARRAY[]::text[]
                    );
                    INSERT INTO dbsync.table_choice (relation, placement, shard_key, hidden) VALUES ({values})
                    ON CONFLICT (relation) DO UPDATE SET placement = excluded.placement, shard_key = excluded.shard_key, hidden = excluded.hidden;
                END IF;
            END $dbsync$;
            """;
    }

    /// <summary>Takes a column out of the lists of a table's publications, so that it can be dropped.</summary>
    /// <param name="table">The table's delimited name.</param>
    /// <param name="column">The column's name.</param>
    public static string Release(string table, string column) =>
        $"""
        DO $dbsync$ BEGIN
            IF pg_catalog.to_regprocedure('dbsync.release_column(regclass,text)') IS NOT NULL THEN
                PERFORM dbsync.release_column({Literal(table)}::regclass, {Literal(column)});
            END IF;
        END $dbsync$;
        """;

    private static string Array(string[] names) => $"ARRAY[{string.Join(", ", names.Select(Literal))}]::text[]";

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
