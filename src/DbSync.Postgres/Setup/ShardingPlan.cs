using System.Collections.Immutable;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>Which tables are sharded and by what, which every shard holds whole, and which can be neither.</summary>
/// <param name="Layout">The layout to have; null when the replica is not sharded.</param>
/// <param name="IsNew">Whether its row has to be written.</param>
/// <param name="References">The reference tables with their sizes.</param>
/// <param name="Refused">The tables that have no place.</param>
internal sealed record ShardingPlan(ShardLayout? Layout, bool IsNew, IReadOnlyList<(string Table, long Bytes)> References, IReadOnlyList<Refusal> Refused)
{
    /// <summary>Up to this size a table without a shard key is held whole by every shard.</summary>
    public const long ReferenceBytesMax = 64L << 20;

    private static readonly ShardingPlan NotSharded = new(null, false, [], []);

    /// <param name="connection">The primary.</param>
    /// <param name="current">The layout that there is; null when there is none.</param>
    /// <param name="request">What is asked for.</param>
    /// <param name="tables">The tables to publish.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    /// <exception cref="DbSyncException">DBS8004 other shards or keys are there already; what a named table is refused for.</exception>
    public static async Task<ShardingPlan> ReadAsync(
        NpgsqlConnection connection, ShardLayout? current, ShardingRequest request, IReadOnlyList<TableFacts> tables, CancellationToken cancellationToken)
    {
        if (current is null && request.Shards is null) return NotSharded;
        CheckSame(current, request);
        await HashCheck.RunAsync(connection, cancellationToken);
        var published = tables.Select(t => t.ReplicaName).ToHashSet(StringComparer.Ordinal);
        var facts = (await ShardingFacts.ReadAsync(connection, cancellationToken)).Where(f => published.Contains(f.ReplicaName)).ToDictionary(f => f.Oid);
        var foreignKeys = await ShardingFacts.ReadForeignKeysAsync(connection, cancellationToken);
        var rules = await GivenAsync(connection, current, request, [.. facts.Values], cancellationToken);
        var told = request.References.Select(name => Find(facts.Values, name).ReplicaName).ToHashSet(StringComparer.Ordinal);
        await ColocateAsync(connection, facts, foreignKeys, told, rules, cancellationToken);

        var rest = facts.Values.Where(f => !rules.ContainsKey(f.ReplicaName)).ToList();
        var references = rest.Where(f => told.Contains(f.ReplicaName) || f.Bytes <= ReferenceBytesMax).Select(f => (f.ReplicaName, f.Bytes)).ToList();
        var refused = rest.Where(f => !references.Contains((f.ReplicaName, f.Bytes))).Select(f => NotPlaced(f)).ToList();
        var keys = ShardLayout.KeysOf(rules);
        if (current is null)
        {
            var map = ShardMapPlanner.Start(new ShardTopology([.. request.Shards!], request.Copies, request.Spread)).Target;
            return new ShardingPlan(new ShardLayout(map, keys), true, references, refused);
        }
        if (keys.Count == current.Keys.Count) return new ShardingPlan(current, false, references, refused);
        return new ShardingPlan(new ShardLayout(current.Map.Renumber(current.Version + 1), keys), true, references, refused);
    }

    private static Refusal NotPlaced(ShardingFacts table) => new(
        table.ReplicaName, ErrorCodes.TableNotPlaced,
        FormattableString.Invariant($"It has no shard key, and with {table.Bytes >> 20} MiB it is too large for every shard to hold all of it unasked."),
        $"dbsync init --shard-key {table.ReplicaName}=COLUMN, or --reference {table.ReplicaName}");

    private static void CheckSame(ShardLayout? current, ShardingRequest request)
    {
        if (current is null) return;
        var sameShards = request.Shards is null || request.Copies == current.Map.Topology.Copies
            && request.Shards.Select(s => (s.Id, s.Weight, s.Node)).ToHashSet().SetEquals(current.Map.Topology.Shards.Select(s => (s.Id, s.Weight, s.Node)));
        if (!sameShards)
            throw new DbSyncException(
                ErrorCodes.LayoutMismatch, $"The replica has {current.Map.Topology.Shards.Length} shards already: {string.Join(", ", current.Map.Topology.Shards.Select(s => $"{s.Id}:{s.Weight}"))}.",
                "Leave --shards out. 'dbsync shards list' shows them.");
    }

    private static async Task<Dictionary<string, ShardKeyRule>> GivenAsync(
        NpgsqlConnection connection, ShardLayout? current, ShardingRequest request, IReadOnlyCollection<ShardingFacts> facts, CancellationToken cancellationToken)
    {
        var rules = current?.Keys.ToDictionary(StringComparer.Ordinal) ?? new Dictionary<string, ShardKeyRule>(StringComparer.Ordinal);
        foreach (var (name, columns) in request.Keys)
        {
            var table = Find(facts, name);
            var rule = await RuleAsync(connection, table, [.. columns], cancellationToken);
            if (table.Refuse(rule.Columns) is { } refusal) throw new DbSyncException(refusal.Code, $"Table {refusal.Table} can't be sharded. {refusal.Reason}", refusal.Fix);
            if (rules.TryGetValue(table.ReplicaName, out var known) && !known.Equals(rule))
                throw new DbSyncException(
                    ErrorCodes.LayoutMismatch, $"{table.ReplicaName} is sharded by {string.Join(", ", known.Columns)} already.",
                    "A shard key stays for the life of a replica: 'dbsync uninstall' and set it up again, or set up another replica with --replica.");
            rules[table.ReplicaName] = rule;
        }
        if (rules.Count == 0)
            throw new DbSyncException(ErrorCodes.InvalidOption, "Without a shard key every shard would hold every row.", "Name at least one: --shard-key orders=customer_id.");
        return rules;
    }

    /// <summary>A table that refers to a sharded one by its key goes where that one's rows are, so that both can be joined in each shard.</summary>
    private static async Task ColocateAsync(
        NpgsqlConnection connection, Dictionary<uint, ShardingFacts> facts, IReadOnlyList<ForeignKey> foreignKeys, HashSet<string> told,
        Dictionary<string, ShardKeyRule> rules, CancellationToken cancellationToken)
    {
        bool found;
        do
        {
            found = false;
            foreach (var foreignKey in foreignKeys)
            {
                if (!facts.TryGetValue(foreignKey.Child, out var child) || !facts.TryGetValue(foreignKey.Parent, out var parent)) continue;
                if (rules.ContainsKey(child.ReplicaName) || told.Contains(child.ReplicaName) || !rules.TryGetValue(parent.ReplicaName, out var parentRule)) continue;
                var places = parentRule.Columns.Select(c => foreignKey.ParentColumns.ToList().IndexOf(c)).ToList();
                if (places.Contains(-1)) continue;
                var columns = places.Select(p => foreignKey.ChildColumns[p]).ToImmutableArray();
                if (child.Refuse(columns) is not null) continue;
                var rule = await RuleAsync(connection, child, columns, cancellationToken);
                if (!rule.Kinds.SequenceEqual(parentRule.Kinds)) continue;
                rules[child.ReplicaName] = rule;
                found = true;
            }
        }
        while (found);
    }

    private static async Task<ShardKeyRule> RuleAsync(NpgsqlConnection connection, ShardingFacts table, ImmutableArray<string> columns, CancellationToken cancellationToken) =>
        new(columns, await ShardKeyReader.ReadKindsAsync(connection, table.Oid, table.ReplicaName, columns, cancellationToken));

    private static ShardingFacts Find(IEnumerable<ShardingFacts> tables, string name) =>
        tables.FirstOrDefault(t => t.ReplicaName == name || $"{t.Schema}.{t.Name}" == name)
        ?? throw new DbSyncException(
            ErrorCodes.UnknownTable, $"The replica takes no table {name}.", "Write it as schema.table, with its upper and lower case, and name it with --tables too if you use that.");
}
