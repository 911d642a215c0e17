namespace DbSync.Postgres;

/// <summary>The statements of <c>dbsync init</c>. They are run one by one and printed by <c>--dry-run</c>.</summary>
internal static class SetupSql
{
    /// <summary>The control tables whose rows travel with the change log.</summary>
    public static readonly IReadOnlyList<string> PublishedControlTables = ["heartbeat", "verification", LayoutFeed.TableName, SchemaLogReader.TableName];

    /// <summary>What makes the publication hold the planned tables.</summary>
    public static IEnumerable<string> Publication(
        string publication, PublicationState? state, IReadOnlyList<TableFacts> tables, bool chosen, int serverVersion)
    {
        var name = PgName.Quote(publication);
        var missing = tables.Where(t => state?.Tables.Contains(t.ReplicaName) != true).Select(t => t.Quoted)
            .Concat(PublishedControlTables.Where(t => state?.ControlTables.Contains(t) != true).Select(t => $"dbsync.{t}")).ToList();
        var list = string.Join(", ", missing.Select(t => $"TABLE {t}"));
        if (state is null)
        {
            var generated = serverVersion >= 180000 ? ", publish_generated_columns = stored" : "";
            yield return $"CREATE PUBLICATION {name} FOR {list} WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true{generated});";
            yield return Comment(name, chosen);
            yield break;
        }
        if (!state.ForAllTables && missing.Count > 0) yield return $"ALTER PUBLICATION {name} ADD {list};";
        if (!state.PublishesEverything) yield return $"ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);";
        if (chosen && state.TakesEveryTable) yield return Comment(name, chosen);
    }

    /// <summary>What a role needs to run a node and to verify, besides REPLICATION.</summary>
    public static IEnumerable<string> Grants(string role, IReadOnlyList<TableFacts> tables)
    {
        var to = PgName.Quote(role);
        foreach (var schema in tables.Select(t => t.Schema).Distinct(StringComparer.Ordinal)) yield return $"GRANT USAGE ON SCHEMA {PgName.Quote(schema)} TO {to};";
        if (tables.Count > 0) yield return $"GRANT SELECT ON {string.Join(", ", tables.Select(t => t.Quoted))} TO {to};";
        yield return $"GRANT USAGE ON SCHEMA dbsync TO {to};";
        yield return $"GRANT SELECT ON ALL TABLES IN SCHEMA dbsync TO {to};";
        yield return $"GRANT INSERT, UPDATE, DELETE ON dbsync.node, dbsync.heartbeat, dbsync.verification, dbsync.shard_map TO {to};";
        yield return $"GRANT EXECUTE ON FUNCTION dbsync.rights(), dbsync.schema_changed(boolean), dbsync.apply_choices() TO {to};";
    }

    /// <summary>What an application's role needs to move replicas on while it waits, and for range locks.</summary>
    public static IEnumerable<string> AppGrants(string role)
    {
        var to = PgName.Quote(role);
        yield return $"GRANT USAGE ON SCHEMA dbsync TO {to};";
        yield return $"GRANT EXECUTE ON FUNCTION dbsync.nudge(), dbsync.schema_changed(boolean), dbsync.apply_choices(), "
            + $"dbsync.choose_table(regclass, text, text[], text[]), dbsync.release_column(regclass, text), dbsync.lock_epoch(text), dbsync.lock_epoch_advance(text, bigint), "
            + $"dbsync.fence_exclusive(text, bigint, bytea[], bytea[]), dbsync.fence_shared(text, bigint, bytea[], bytea[]) TO {to};";
    }

    public static string Node(string node, string replica, string slot, string publication) =>
        $"INSERT INTO dbsync.node (name, replica, slot, publication) VALUES ({PgName.Literal(node)}, {PgName.Literal(replica)}, "
        + $"{PgName.Literal(slot)}, {PgName.Literal(publication)}) ON CONFLICT (name) DO NOTHING;";

    public static string CreateSlot(string slot) => $"SELECT pg_catalog.pg_create_logical_replication_slot({PgName.Literal(slot)}, 'pgoutput');";

    public static string DropSlot(string slot) => $"SELECT pg_catalog.pg_drop_replication_slot({PgName.Literal(slot)});";

    private static string Comment(string name, bool chosen) =>
        $"COMMENT ON PUBLICATION {name} IS {PgName.Literal(chosen ? PublicationState.ChosenTables : PublicationState.EveryTable)};";
}
