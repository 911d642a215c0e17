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
        var owned = await OwnedAsync(cancellationToken);
        var publications = owned.Where(o => o.IsPublication && (replica is null || o.Name == ReplicaNames.Publication(replica))).ToList();
        var schema = owned.FirstOrDefault(o => !o.IsPublication);
        var mayReplicate = await primary.ScalarAsync<bool>(
            "SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", cancellationToken);

        var steps = slots.Select(s => new UninstallStep(SetupSql.DropSlot(s.Name), mayReplicate ? null : "a role with REPLICATION"))
            .Concat(publications.Select(p => new UninstallStep($"DROP PUBLICATION {PgName.Quote(p.Name)};", p.MissingRole)))
            .ToList();
        var dropsSchema = schema is not null && others.Count == 0;
        if (dropsSchema) steps.Add(new UninstallStep("DROP SCHEMA dbsync CASCADE;", schema!.MissingRole));
        else if (schema is not null && nodes.Count > others.Count)
            steps.AddRange([
                new UninstallStep($"DELETE FROM dbsync.node WHERE replica = {PgName.Literal(replica!)};", null),
                new UninstallStep($"DELETE FROM dbsync.shard_map WHERE replica = {PgName.Literal(replica!)};", null),
            ]);
        return new UninstallPlan(
            [.. slots.Select(s => s.Name)], [.. slots.Where(s => s.Active).Select(s => s.Name)], [.. publications.Select(p => p.Name)], dropsSchema, steps);
    }

    /// <summary>Drops what this role may drop.</summary>
    /// <exception cref="DbSyncException">DBS3003 when a node is running; DBS2006 when something is left that another role has to drop.</exception>
    public async Task RunAsync(UninstallPlan plan, CancellationToken cancellationToken)
    {
        if (plan.ActiveSlots.Count > 0)
            throw new DbSyncException(
                ErrorCodes.SlotInUse, $"A node is running on {string.Join(", ", plan.ActiveSlots)}.", "Stop it, then run 'dbsync uninstall' again.");
        foreach (var step in plan.Steps.Where(s => s.MissingRole is null)) await primary.ExecuteAsync(step.Statement, cancellationToken);
        var left = plan.Steps.Where(s => s.MissingRole is not null).ToList();
        if (left.Count == 0) return;
        throw new DbSyncException(
            ErrorCodes.MissingPrivilege,
            $"{plan.Steps.Count - left.Count} of {plan.Steps.Count} step(s) done; this role may not do the rest.",
            $"Run 'dbsync uninstall' again as {string.Join(", then as ", left.Select(s => s.MissingRole!).Distinct(StringComparer.Ordinal))}: {string.Join(' ', left.Select(s => s.Statement))}");
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

    /// <summary>DbSync's publications and its schema, each with the role that must drop it when this one may not.</summary>
    private Task<List<Owned>> OwnedAsync(CancellationToken cancellationToken) => primary.UseAsync(
        async connection =>
        {
            await using var command = Primary.Command(
                connection,
                """
                SELECT o.is_publication, o.name::text, CASE WHEN NOT pg_catalog.pg_has_role(o.owner, 'USAGE') THEN pg_catalog.pg_get_userbyid(o.owner)::text END
                FROM (
                    SELECT true, pubname, pubowner FROM pg_catalog.pg_publication WHERE pubname LIKE 'dbsync\_%'
                    UNION ALL
                    SELECT false, nspname, nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'dbsync'
                ) AS o (is_publication, name, owner)
                ORDER BY o.name
                """);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var owned = new List<Owned>();
            while (await reader.ReadAsync(cancellationToken)) owned.Add(new Owned(reader.GetBoolean(0), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2)));
            return owned;
        },
        cancellationToken);

    private sealed record Owned(bool IsPublication, string Name, string? MissingRole);
}

/// <summary>What an uninstall drops.</summary>
internal sealed record UninstallPlan(
    IReadOnlyList<string> Slots, IReadOnlyList<string> ActiveSlots, IReadOnlyList<string> Publications, bool DropsSchema, IReadOnlyList<UninstallStep> Steps)
{
    public IReadOnlyList<string> Statements => [.. Steps.Select(s => s.Statement)];
}

/// <summary>One statement of an uninstall.</summary>
/// <param name="Statement">The SQL.</param>
/// <param name="MissingRole">Who may run it, when the connected role may not; else null.</param>
internal sealed record UninstallStep(string Statement, string? MissingRole);
