using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Sets a node up: control schema, publication, its row, its slot, and last its <c>node.json</c>. Each step looks at what is there, so that
/// a second run changes nothing and a run that was killed goes on.
/// </summary>
internal sealed class NodeSetup(Primary primary)
{
    private readonly ControlSchema _schema = new(primary);

    /// <summary>Does what is missing, or only says what that is.</summary>
    /// <exception cref="DbSyncException">DBS1004 the directory belongs to another node, DBS2003 and others for a named table that can't be
    /// published, DBS2006 a right is missing, DBS2010 the node's name is taken, DBS3002 the node's slot is gone.</exception>
    public async Task<SetupResult> RunAsync(SetupRequest request, bool dryRun, CancellationToken cancellationToken)
    {
        var replica = ReplicaNames.Check(request.Replica, "replica");
        var publication = ReplicaNames.Publication(replica);
        var server = await primary.UseAsync(c => ServerIdentity.ReadAsync(c, cancellationToken), cancellationToken);
        var file = request.SchemaOnly ? null : NodeFile.TryLoad(request.DataDirectory);
        if (file is not null) Check(file, request, server);
        var pending = request.SchemaOnly ? null : PendingNode.TryLoad(request.DataDirectory);
        var node = request.SchemaOnly
            ? null
            : ReplicaNames.Check(request.Node ?? file?.Node ?? (pending?.Replica == replica ? pending.Node : null) ?? ReplicaNames.NewNode(), "node");

        var scripts = await _schema.PendingAsync(cancellationToken);
        var (state, tables) = await primary.UseAsync(
            async c => (await PublicationState.ReadAsync(c, publication, cancellationToken), await TableInspector.ReadAsync(c, cancellationToken)), cancellationToken);
        var choices = await primary.UseAsync(c => TableChoice.ReadAsync(c, cancellationToken), cancellationToken);
        var plan = Plan(request, state, Admit(request, tables, choices), server);
        var sharding = await ShardAsync(request with { Sharding = TableChoice.Join(request.Sharding, choices, plan.Tables) }, file, plan, cancellationToken);
        plan = LeaveOut(plan, sharding, request);
        var statements = scripts.Select(ControlSchema.ToSql).ToList();
        var sql = sharding.IsNew ? [ShardMapTable.InsertSql(replica, sharding.Layout!)] : new List<string>();
        sql.AddRange(SetupSql.Publication(publication, state, plan.Tables, request.Tables is not null, server.Version));
        if (choices.Count > 0) sql.Add("SELECT dbsync.apply_choices();");
        var triggers = await primary.UseAsync(c => SchemaTriggers.ReadAsync(c, cancellationToken), cancellationToken);
        if (triggers.MayCreate) sql.AddRange(triggers.Missing);
        if (request.GrantTo is { } role) sql.AddRange(SetupSql.Grants(role, plan.Tables));
        if (request.GrantApp is { } app) sql.AddRange(SetupSql.AppGrants(app));
        statements.AddRange(sql);

        var slot = node is null ? null : ReplicaNames.Slot(replica, node);
        var existing = slot is null ? null : await new ReplicationSlot(primary, slot).ReadAsync(cancellationToken);
        var own = file is not null || pending is { } begun && begun.Node == node && begun.Replica == replica;
        if (node is not null)
        {
            var registered = scripts.Count == 0 && await IsRegisteredAsync(node, cancellationToken);
            CheckSlot(request, file, node, existing, own, registered);
            if (existing is not null && !own) statements.Add(SetupSql.DropSlot(slot!));
            if (!registered) statements.Add(SetupSql.Node(node, replica, slot!, publication));
            if (existing is null || !own) statements.Add(SetupSql.CreateSlot(slot!));
        }
        var result = new SetupResult(node, slot, publication, statements, [.. plan.Tables.Select(t => t.ReplicaName)], plan.Refused, sharding);
        if (node is not null) _ = ShardNames(sharding.Layout, node);
        if (dryRun) return result;

        CheckOwnership(plan, state);
        if (node is not null) DataDirectory.Create(request.DataDirectory);
        if (node is not null && file is null) new PendingNode(replica, node).Save(request.DataDirectory);
        if (scripts.Count > 0) await _schema.UpgradeAsync(cancellationToken);
        foreach (var statement in sql) await primary.ExecuteAsync(statement, cancellationToken);
        if (node is null) return result;
        if (existing is not null && !own) await primary.ExecuteAsync(SetupSql.DropSlot(slot!), cancellationToken);
        await primary.ExecuteAsync(SetupSql.Node(node, replica, slot!, publication), cancellationToken);
        var start = await new ReplicationSlot(primary, slot!).CreateAsync(cancellationToken);
        if (file is null || existing is null)
            new NodeFile(
                replica, node, slot!, publication, server.SystemIdentifier, server.Database,
                [.. ShardNames(sharding.Layout, node).Select(s => new NodeFile.Shard(s, NodeFile.FileNameOf(s, 1)))],
                start.ToString()).Save(request.DataDirectory);
        PendingNode.Delete(request.DataDirectory);
        return result;
    }

    private static IReadOnlyList<string> ShardNames(ShardLayout? layout, string node)
    {
        if (layout is null) return [ReplicaNames.DefaultShard];
        List<string> here = [.. layout.ShardsOn(node).Select(s => s.Id.Name)];
        if (here.Count > 0) return here;
        throw new DbSyncException(
            ErrorCodes.LayoutMismatch, $"No shard is placed on node '{node}'.",
            $"Name one that has shards with --node: {string.Join(", ", layout.Map.Topology.Shards.Select(s => s.Node).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))}.");
    }

    /// <summary>Takes out the tables that the application's model keeps from being replicated.</summary>
    /// <exception cref="DbSyncException">DBS1001 when one of them was named.</exception>
    private static List<TableFacts> Admit(SetupRequest request, IReadOnlyList<TableFacts> tables, IReadOnlyList<TableChoice> choices)
    {
        var kept = choices.Where(c => c.IsLeftOut).Select(c => c.Table).ToHashSet(StringComparer.Ordinal);
        if (tables.FirstOrDefault(t => kept.Contains(t.ReplicaName) && request.Tables?.Any(n => n == t.ReplicaName || n == $"{t.Schema}.{t.Name}") == true) is { } named)
            throw new DbSyncException(
                ErrorCodes.InvalidOption, $"The application's model keeps {named.ReplicaName} from being replicated.",
                "Leave it out of --tables, or take IsNotReplicated() off the entity and migrate.");
        return [.. tables.Where(t => !kept.Contains(t.ReplicaName))];
    }

    private async Task<ShardingPlan> ShardAsync(SetupRequest request, NodeFile? file, PublicationPlan plan, CancellationToken cancellationToken)
    {
        var sharding = await primary.UseAsync(
            async c => await ShardingPlan.ReadAsync(
                c, await ShardMapTable.ReadNewestAsync(c, request.Replica, cancellationToken), request.Sharding, plan.Tables, cancellationToken),
            cancellationToken);
        if (sharding is { IsNew: true, Layout.Version: 1 } && file is not null)
            throw new DbSyncException(
                ErrorCodes.LayoutMismatch, "The data directory holds a node that is not sharded.",
                "Shards are chosen when a replica is set up: run 'dbsync uninstall' first, or set up another one with --replica and --data.");
        return sharding;
    }

    /// <summary>Takes out what has no place in a sharded replica.</summary>
    /// <exception cref="DbSyncException">DBS8003 for a table that was named.</exception>
    private static PublicationPlan LeaveOut(PublicationPlan plan, ShardingPlan sharding, SetupRequest request)
    {
        if (request.Tables is not null && sharding.Refused is [var refusal, ..])
            throw new DbSyncException(refusal.Code, $"Table {refusal.Table} has no place in the shards. {refusal.Reason}", refusal.Fix);
        return new PublicationPlan([.. plan.Tables.ExceptBy(sharding.Refused.Select(r => r.Table), t => t.ReplicaName, StringComparer.Ordinal)], [.. plan.Refused, .. sharding.Refused]);
    }

    private static PublicationPlan Plan(SetupRequest request, PublicationState? state, IReadOnlyList<TableFacts> tables, ServerIdentity server)
    {
        var published = state?.Tables ?? new HashSet<string>(StringComparer.Ordinal);
        var named = request.Tables ?? (state is { TakesEveryTable: false } ? published : null);
        var plan = PublicationPlan.Of(tables, named, published, server.Version);
        // Tables that were left out on purpose are no news.
        if (request.Tables is null && named is not null) return plan with { Refused = [] };
        return request.Tables is null && state is not null ? LeaveOutForeign(plan, state, request.Replica) : plan;
    }

    /// <summary>New tables that only somebody else can add don't keep a node from being set up.</summary>
    private static PublicationPlan LeaveOutForeign(PublicationPlan plan, PublicationState state, string replica)
    {
        var foreign = plan.Tables.Where(t => !t.IsOwned && !state.Tables.Contains(t.ReplicaName)).ToList();
        return new PublicationPlan(
            [.. plan.Tables.Except(foreign)],
            [.. plan.Refused, .. foreign.Select(t => new Refusal(
                t.ReplicaName, ErrorCodes.MissingPrivilege, "Only its owner can publish it, and this role is not.",
                $"ALTER PUBLICATION {PgName.Quote(ReplicaNames.Publication(replica))} ADD TABLE {t.Quoted};"))]);
    }

    private static void Check(NodeFile file, SetupRequest request, ServerIdentity server)
    {
        if (file.Replica != request.Replica || request.Node is not null && request.Node != file.Node)
            throw new DbSyncException(
                ErrorCodes.IdentityMismatch,
                $"The data directory belongs to node '{file.Node}' of replica '{file.Replica}'.",
                "Use another --data for another node.");
        if (file.SystemIdentifier != server.SystemIdentifier || file.Database != server.Database)
            throw new DbSyncException(
                ErrorCodes.PrimaryChanged,
                "The data directory belongs to another PostgreSQL cluster or database than the connection leads to.",
                "Check the connection string, or use another --data.");
    }

    private static void CheckSlot(SetupRequest request, NodeFile? file, string node, SlotState? slot, bool own, bool registered)
    {
        if (file is not null && slot is null && file.Shards.Any(s => File.Exists(Path.Combine(request.DataDirectory, s.File)))) throw PrimaryErrors.SlotMissing();
        if (own || slot is null && !registered) return;
        if (!request.TakeOver)
            throw new DbSyncException(
                ErrorCodes.NodeExists, $"Node '{node}' exists already, and this data directory is not its own.",
                "Choose another --node; or, when its directory is lost, add --take-over: its slot is dropped and everything is copied again.");
        if (slot is { Active: true })
            throw new DbSyncException(ErrorCodes.SlotInUse, $"Node '{node}' is running.", "Stop it before its name is taken over.");
    }

    private static void CheckOwnership(PublicationPlan plan, PublicationState? state)
    {
        var foreign = plan.Tables.Where(t => !t.IsOwned && state?.Tables.Contains(t.ReplicaName) != true).Select(t => t.ReplicaName).ToList();
        if (foreign.Count > 0)
            throw new DbSyncException(
                ErrorCodes.MissingPrivilege,
                $"Only a table's owner can publish it, and this role does not own: {string.Join(", ", foreign)}.",
                "Let the owner run 'dbsync init --schema-only --grant-to ROLE' once, or name other tables with --tables.");
    }

    private async Task<bool> IsRegisteredAsync(string node, CancellationToken cancellationToken) =>
        await primary.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM dbsync.node WHERE name = $1)", cancellationToken, node);
}

/// <summary>Which database of which cluster a connection leads to.</summary>
internal sealed record ServerIdentity(int Version, string SystemIdentifier, string Database)
{
    public static async Task<ServerIdentity> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(
            connection,
            """
            SELECT pg_catalog.current_setting('server_version_num')::int,
                (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), pg_catalog.current_database()::text
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new ServerIdentity(reader.GetInt32(0), reader.GetString(1), reader.GetString(2));
    }
}
