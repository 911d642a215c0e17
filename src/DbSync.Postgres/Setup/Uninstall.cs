namespace DbSync.Postgres;

/// <summary>Takes DbSync off the primary: a replica's slots and publication, and with the last replica the control schema.</summary>
internal sealed class Uninstall(Primary primary)
{
    /// <summary>What would be dropped, and the statements that do it.</summary>
    /// <param name="replica">The replica; null for every one.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    /// <exception cref="DbSyncException">DBS3003 when a node of it is running.</exception>
    public async Task<UninstallPlan> PlanAsync(string? replica, CancellationToken cancellationToken)
    {
        var nodes = await NodesAsync(cancellationToken);
        var slots = await primary.UseAsync(
            async connection =>
            {
                await using var command = Primary.Command(
                    connection,
                    """
                    SELECT slot_name::text, active FROM pg_catalog.pg_replication_slots
                    WHERE database = pg_catalog.current_database() AND plugin = 'pgoutput' AND slot_name LIKE 'dbsync\_%' ORDER BY slot_name
                    """);
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                var found = new List<(string Name, bool Active)>();
                while (await reader.ReadAsync(cancellationToken)) found.Add((reader.GetString(0), reader.GetBoolean(1)));
                return found;
            },
            cancellationToken);
        var others = nodes.Where(n => replica is not null && n.Replica != replica).ToList();
        // A slot without a row is of a setup that was killed, or of a schema dropped by hand.
        slots.RemoveAll(s => others.Any(o => o.Slot == s.Name)
            || replica is not null && !nodes.Any(n => n.Slot == s.Name) && !s.Name.StartsWith($"{ReplicaNames.Publication(replica)}_", StringComparison.Ordinal));
        var publications = await NamesAsync(
            "SELECT pubname::text FROM pg_catalog.pg_publication WHERE pubname LIKE 'dbsync\\_%' ORDER BY pubname", cancellationToken);
        publications.RemoveAll(p => replica is not null && p != ReplicaNames.Publication(replica));
        var hasSchema = await primary.ScalarAsync<bool>("SELECT pg_catalog.to_regnamespace('dbsync') IS NOT NULL", cancellationToken);

        var statements = slots.Select(s => SetupSql.DropSlot(s.Name)).Concat(publications.Select(p => $"DROP PUBLICATION {PgName.Quote(p)};")).ToList();
        if (hasSchema && others.Count == 0) statements.Add("DROP SCHEMA dbsync CASCADE;");
        else if (hasSchema && nodes.Count > others.Count) statements.Add($"DELETE FROM dbsync.node WHERE replica = {PgName.Literal(replica!)};");
        return new UninstallPlan([.. slots.Select(s => s.Name)], [.. slots.Where(s => s.Active).Select(s => s.Name)], publications, hasSchema && others.Count == 0, statements);
    }

    /// <exception cref="DbSyncException">DBS3003 when a node is running.</exception>
    public async Task RunAsync(UninstallPlan plan, CancellationToken cancellationToken)
    {
        if (plan.ActiveSlots.Count > 0)
            throw new DbSyncException(
                ErrorCodes.SlotInUse, $"A node is running on {string.Join(", ", plan.ActiveSlots)}.", "Stop it, then run 'dbsync uninstall' again.");
        foreach (var statement in plan.Statements) await primary.ExecuteAsync(statement, cancellationToken);
    }

    private async Task<List<(string Replica, string Slot)>> NodesAsync(CancellationToken cancellationToken)
    {
        if (!await primary.ScalarAsync<bool>("SELECT pg_catalog.to_regclass('dbsync.node') IS NOT NULL", cancellationToken)) return [];
        return await primary.UseAsync(
            async connection =>
            {
                await using var command = Primary.Command(connection, "SELECT replica, slot FROM dbsync.node");
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                var nodes = new List<(string, string)>();
                while (await reader.ReadAsync(cancellationToken)) nodes.Add((reader.GetString(0), reader.GetString(1)));
                return nodes;
            },
            cancellationToken);
    }

    private Task<List<string>> NamesAsync(string sql, CancellationToken cancellationToken) => primary.UseAsync(
        async connection =>
        {
            await using var command = Primary.Command(connection, sql);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var names = new List<string>();
            while (await reader.ReadAsync(cancellationToken)) names.Add(reader.GetString(0));
            return names;
        },
        cancellationToken);
}

/// <summary>What an uninstall drops.</summary>
internal sealed record UninstallPlan(
    IReadOnlyList<string> Slots, IReadOnlyList<string> ActiveSlots, IReadOnlyList<string> Publications, bool DropsSchema, IReadOnlyList<string> Statements);
