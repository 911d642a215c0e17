using Npgsql;

namespace DbSync.Postgres;

/// <summary>A publication as it stands on the primary.</summary>
/// <param name="TakesEveryTable">Whether the next init adds new tables by itself.</param>
/// <param name="ForAllTables">Whether somebody made it FOR ALL TABLES.</param>
/// <param name="PublishesEverything">Whether it publishes all four operations, through partition roots.</param>
/// <param name="Tables">Its tables outside the control schema, as the replica calls them.</param>
/// <param name="ControlTables">Its tables in the control schema.</param>
internal sealed record PublicationState(
    bool TakesEveryTable, bool ForAllTables, bool PublishesEverything, IReadOnlySet<string> Tables, IReadOnlySet<string> ControlTables)
{
    /// <summary>The publication's comment when its tables were not chosen by name.</summary>
    public const string EveryTable = "DbSync: every table that can be published";

    /// <summary>The publication's comment when its tables were chosen by name.</summary>
    public const string ChosenTables = "DbSync: chosen tables";

    /// <summary>Reads a publication; null when there is none of this name.</summary>
    public static async Task<PublicationState?> ReadAsync(NpgsqlConnection connection, string publication, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(
            connection,
            """
            SELECT coalesce(pg_catalog.obj_description(p.oid, 'pg_publication'), ''), p.puballtables,
                p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot,
                ARRAY(SELECT CASE WHEN t.schemaname = 'public' THEN t.tablename::text ELSE t.schemaname || '.' || t.tablename END
                    FROM pg_catalog.pg_publication_tables AS t WHERE t.pubname = p.pubname AND t.schemaname <> 'dbsync'),
                ARRAY(SELECT t.tablename::text FROM pg_catalog.pg_publication_tables AS t WHERE t.pubname = p.pubname AND t.schemaname = 'dbsync')
            FROM pg_catalog.pg_publication AS p WHERE p.pubname = $1
            """,
            publication);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken)) return null;
        return new PublicationState(
            reader.GetString(0) != ChosenTables, reader.GetBoolean(1), reader.GetBoolean(2),
            reader.GetFieldValue<string[]>(3).ToHashSet(StringComparer.Ordinal), reader.GetFieldValue<string[]>(4).ToHashSet(StringComparer.Ordinal));
    }
}
