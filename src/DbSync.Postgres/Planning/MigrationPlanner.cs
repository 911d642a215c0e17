using System.Text.RegularExpressions;
using Npgsql;

namespace DbSync.Postgres.Planning;

/// <summary>
/// Says what the replicas will do about a migration, before it runs: the migration runs on an empty copy of the primary's schema, and the code that makes a
/// replica follow judges how each table stood before and stands after. The primary's tables are read by <c>pg_dump --schema-only</c> and nothing else.
/// </summary>
public static partial class MigrationPlanner
{
    /// <summary>Assumed where no copy was measured: a node on an ordinary disk beside its primary.</summary>
    private const double RowsPerSecondAssumed = 200_000;

    private const string PublishedSql =
        """
        SELECT n.nspname, c.relname, CASE WHEN c.relkind = 'p' THEN (
            SELECT coalesce(sum(greatest(leaf.reltuples, 0)), 0) FROM pg_catalog.pg_partition_tree(c.oid) AS part JOIN pg_catalog.pg_class AS leaf ON leaf.oid = part.relid AND part.isleaf)
            ELSE greatest(c.reltuples, 0) END::bigint
        FROM pg_catalog.pg_get_publication_tables($1::text) AS t
        JOIN pg_catalog.pg_class AS c ON c.oid = t.relid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname <> 'dbsync'
        """;

    /// <summary>Plans a migration.</summary>
    /// <param name="primary">The primary's connection string.</param>
    /// <param name="sql">What will run, as for psql; for example what <c>dotnet ef migrations script</c> prints, also with <c>--idempotent</c>.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Ends it; the copy of the schema is dropped.</param>
    /// <exception cref="DbSyncException">
    /// DBS2013 when the replica's publication is not there, DBS2015 when the schema can't be copied or the migration fails on the copy, and what the primary refuses.
    /// </exception>
    public static async Task<MigrationPlan> PlanAsync(string primary, string sql, MigrationPlanOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new MigrationPlanOptions();
        if (options.Scratch is null && Shared().Match(sql) is { Success: true } shared)
            throw new DbSyncException(
                ErrorCodes.MigrationNotPlanned, $"'{shared.Value}' changes what all databases of the primary's server share: a trial there would do so for good.",
                "Give --scratch, a server of your own to try it on; or leave the statement out of what is planned, since it changes no table.");
        var publication = ReplicaNames.Publication(options.Replica);
        await using var source = new Primary(primary);
        var state = await new ControlPlane(source, "", TimeProvider.System).ReadCatalogAsync(publication, cancellationToken);
        var facts = await source.UseAsync(c => PublicationState.ReadAsync(c, publication, cancellationToken), cancellationToken) ?? throw PrimaryErrors.PublicationMissing(publication);
        var published = await source.UseAsync(c => ReadPublishedAsync(c, publication, cancellationToken), cancellationToken);
        var keys = await source.UseAsync(async c => (await ShardMapTable.ReadNewestAsync(c, options.Replica, cancellationToken))?.Keys.Keys.ToHashSet(StringComparer.Ordinal), cancellationToken) ?? [];

        await using var scratch = await ScratchDatabase.CreateAsync(primary, options.Scratch ?? primary, cancellationToken);
        await using var copy = new Primary(scratch.ConnectionString);
        await new ControlSchema(copy).UpgradeAsync(cancellationToken);
        var tables = new PlannedTables(copy, publication, state.IsLogged, keys);
        await tables.PublishAsync([.. published.Select(t => t.Name)], followsNew: facts.TakesEveryTable, cancellationToken);
        var before = await tables.ReadAsync(cancellationToken);
        await scratch.RunAsync(sql, cancellationToken);
        var after = await tables.ReadAgainAsync(cancellationToken);
        var rows = published.ToDictionary(t => t.Name.ToString(), t => t.Rows, StringComparer.Ordinal);
        var rate = options.RowsPerSecond ?? RowsPerSecondAssumed;
        var planned = tables.Compare(before, after)
            .Select(t => t with { Rows = rows.GetValueOrDefault(t.Table) })
            .Select(t => t with { Seconds = t.Work is PlannedWork.Instant or PlannedWork.NotFollowed ? 0 : t.Rows / rate });
        return new MigrationPlan([.. planned.OrderByDescending(t => t.Work).ThenByDescending(t => t.Rows).ThenBy(t => t.Table, StringComparer.Ordinal)], rate, options.RowsPerSecond is not null, state.IsLogged);
    }

    /// <summary>Statements whose effect does not end with the database that they run in. One in a string or a comment is taken for one too.</summary>
    [GeneratedRegex(
        @"\b(?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+(?:ROLE|USER(?!\s+MAPPING)|GROUP|DATABASE|TABLESPACE|SUBSCRIPTION)\b|\bALTER\s+SYSTEM\b|\b(?:REASSIGN|DROP)\s+OWNED\b"
        + @"|\b(?:GRANT|REVOKE)\s+(?:(?!\bON\b)[^;])*\s(?:TO|FROM)\b",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 30_000)]
    private static partial Regex Shared();

    private static async Task<List<(TableName Name, long Rows)>> ReadPublishedAsync(NpgsqlConnection connection, string publication, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, PublishedSql, publication);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var tables = new List<(TableName, long)>();
        while (await reader.ReadAsync(cancellationToken)) tables.Add((new TableName(reader.GetString(0), reader.GetString(1)), reader.GetInt64(2)));
        return tables;
    }
}

/// <summary>A table by its names on the primary.</summary>
internal sealed record TableName(string Schema, string Name)
{
    public string Quoted => $"{PgName.Quote(Schema)}.{PgName.Quote(Name)}";

    public override string ToString() => TableSchema.ReplicaNameOf(Schema, Name);
}
