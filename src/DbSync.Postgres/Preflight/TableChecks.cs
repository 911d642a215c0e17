using Npgsql;

namespace DbSync.Postgres;

/// <summary>Checks of the tables: which are left out, and whether the role can read all of those that are published.</summary>
internal static class TableChecks
{
    private const string RightsSql =
        """
        SELECT n.nspname::text, c.relname::text,
            pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'),
            pg_catalog.row_security_active(c.oid), c.relkind = 'p'
        FROM pg_catalog.pg_publication_tables AS p
        JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname
        JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
        WHERE p.pubname = $1
        ORDER BY n.nspname, c.relname
        """;

    // What has no change log of its own. A view of an extension is nobody's to replicate.
    private const string ViewsSql =
        """
        SELECT CASE n.nspname WHEN 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'dbsync') AND n.nspname !~ '^pg_'
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY n.nspname, c.relname
        """;

    public static async Task<IReadOnlyList<PreflightCheck>> RunAsync(
        Primary primary, ServerFacts server, string publication, PublicationState? state, CancellationToken cancellationToken)
    {
        var tables = await primary.UseAsync(c => TableInspector.ReadAsync(c, cancellationToken), cancellationToken);
        var checks = new List<PreflightCheck>();
        IReadOnlySet<string> published = state?.Tables ?? new HashSet<string>(StringComparer.Ordinal);
        var plan = PublicationPlan.Of(tables, state is { TakesEveryTable: false } ? published : null, published, server.Version);
        foreach (var refusal in plan.Refused) checks.Add(Refused(refusal, published));
        if (plan.Refused.Count == 0) checks.Add(PreflightCheck.Ok(CheckCodes.TableIdentity, "tables", $"All {plan.Tables.Count} can be published."));
        var views = await primary.UseAsync(c => ReadViewsAsync(c, cancellationToken), cancellationToken);
        if (views.Count > 0)
            checks.Add(PreflightCheck.Ok(CheckCodes.TableIdentity, "views", $"Primary only, for they have no change log: {string.Join(", ", views)}."));
        var rights = await ReadRightsAsync(primary, publication, cancellationToken);
        checks.Add(Select(server, [.. rights.Where(r => !r.MayRead).Select(r => (r.Schema, r.Name))]));
        var partitioned = rights.Where(r => r.IsPartitioned).Select(r => TableSchema.ReplicaNameOf(r.Schema, r.Name)).ToList();
        if (partitioned.Count > 0) checks.Add(Partitions(partitioned));
        checks.Add(RowSecurity(server, [.. rights.Where(r => r.IsHidden).Select(r => TableSchema.ReplicaNameOf(r.Schema, r.Name))]));
        return checks;
    }

    private static async Task<List<string>> ReadViewsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, ViewsSql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var views = new List<string>();
        while (await reader.ReadAsync(cancellationToken)) views.Add(reader.GetString(0));
        return views;
    }

    private static PreflightCheck Refused(Refusal refusal, IReadOnlySet<string> published)
    {
        var name = $"table {refusal.Table}";
        var detail = $"{refusal.Reason} ({refusal.Code})";
        return published.Contains(refusal.Table)
            ? PreflightCheck.Fail(CheckCodes.TableIdentity, name, detail, "It is published all the same: the application's UPDATE or DELETE may fail, or the replica can't hold it.", refusal.Fix)
            : PreflightCheck.Warn(CheckCodes.TableIdentity, name, detail, "It is left out: queries on it go to the primary.", refusal.Fix);
    }

    private static PreflightCheck Select(ServerFacts server, IReadOnlyList<(string Schema, string Name)> unreadable)
    {
        if (unreadable.Count == 0) return PreflightCheck.Ok(CheckCodes.SelectRight, "SELECT", "The role can read every published table.");
        var role = PgName.Quote(server.Role);
        var grants = unreadable.Select(t => t.Schema).Distinct(StringComparer.Ordinal).Select(s => $"GRANT USAGE ON SCHEMA {PgName.Quote(s)} TO {role};")
            .Append($"GRANT SELECT ON {string.Join(", ", unreadable.Select(t => $"{PgName.Quote(t.Schema)}.{PgName.Quote(t.Name)}"))} TO {role};");
        return PreflightCheck.Fail(
            CheckCodes.SelectRight, "SELECT", $"The role can't read {string.Join(", ", unreadable.Select(t => TableSchema.ReplicaNameOf(t.Schema, t.Name)))}.",
            "The initial copy and verify read the tables themselves.", string.Join(' ', grants));
    }

    private static PreflightCheck Partitions(IReadOnlyList<string> tables) => PreflightCheck.Warn(
        CheckCodes.Partitions, "partitions", $"Partitioned: {string.Join(", ", tables)}.",
        "TRUNCATE of a single partition, and DETACH, DROP or ATTACH of one with rows in it, are not in the log: the replica would differ.",
        "Empty a partition with DELETE before it goes; afterwards, 'dbsync explain DBS2121' says how to have the table copied again.");

    private static PreflightCheck RowSecurity(ServerFacts server, IReadOnlyList<string> hidden) => hidden.Count == 0
        ? PreflightCheck.Ok(CheckCodes.RowSecurity, "row-level security", "No policy hides rows from the role.")
        : PreflightCheck.Fail(
            CheckCodes.RowSecurity, "row-level security", $"Policies hide rows of {string.Join(", ", hidden)} from the role.",
            "The copy would lack those rows, so it refuses to read these tables.", $"ALTER ROLE {PgName.Quote(server.Role)} BYPASSRLS;");

    private static Task<List<(string Schema, string Name, bool MayRead, bool IsHidden, bool IsPartitioned)>> ReadRightsAsync(
        Primary primary, string publication, CancellationToken cancellationToken) => primary.UseAsync(
        async connection =>
        {
            await using var command = Primary.Command(connection, RightsSql, publication);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var rights = new List<(string, string, bool, bool, bool)>();
            while (await reader.ReadAsync(cancellationToken))
                rights.Add((reader.GetString(0), reader.GetString(1), reader.GetBoolean(2), reader.GetBoolean(3), reader.GetBoolean(4)));
            return rights;
        },
        cancellationToken);
}
