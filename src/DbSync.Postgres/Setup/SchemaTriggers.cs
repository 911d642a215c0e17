using Npgsql;

namespace DbSync.Postgres;

/// <summary>The event triggers that log schema changes where they happen; only a superuser, or a host's equivalent, may create them.</summary>
/// <param name="Missing">The statements that create what is not there.</param>
/// <param name="MayCreate">Whether the connected role may run them.</param>
internal sealed record SchemaTriggers(IReadOnlyList<string> Missing, bool MayCreate)
{
    private static readonly (string Name, string Event, string Function)[] All =
    [
        ("dbsync_drop", "sql_drop", "on_drop"),
        ("dbsync_rewrite", "table_rewrite", "on_rewrite"),
        ("dbsync_ddl", "ddl_command_end", "on_ddl"), // last: while it is there, all are
    ];

    /// <summary>True when every schema change is logged by itself.</summary>
    public bool AreActive => Missing.Count == 0;

    public static async Task<SchemaTriggers> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(
            connection,
            """
            SELECT ARRAY(SELECT evtname::text FROM pg_catalog.pg_event_trigger WHERE evtenabled = 'A' AND evtname LIKE 'dbsync\_%'),
                ARRAY(SELECT evtname::text FROM pg_catalog.pg_event_trigger WHERE evtname LIKE 'dbsync\_%'),
                r.rolsuper OR EXISTS (SELECT FROM pg_catalog.pg_roles AS h WHERE h.rolname = 'rds_superuser' AND pg_catalog.pg_has_role(current_user, h.oid, 'MEMBER'))
            FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var (enabled, there) = (reader.GetFieldValue<string[]>(0), reader.GetFieldValue<string[]>(1));
        var missing = new List<string>();
        foreach (var (name, on, function) in All)
        {
            if (!there.Contains(name, StringComparer.Ordinal)) missing.Add($"CREATE EVENT TRIGGER {name} ON {on} EXECUTE FUNCTION dbsync.{function}();");
            if (!enabled.Contains(name, StringComparer.Ordinal)) missing.Add($"ALTER EVENT TRIGGER {name} ENABLE ALWAYS;");
        }
        return new SchemaTriggers(missing, reader.GetBoolean(2));
    }
}
