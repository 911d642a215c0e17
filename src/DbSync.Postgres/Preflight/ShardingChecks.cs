namespace DbSync.Postgres;

/// <summary>Checks of a sharded replica: where each table's rows go, and whether changes of a row can be brought there.</summary>
internal static class ShardingChecks
{
    public static Task<IReadOnlyList<PreflightCheck>> RunAsync(
        Primary primary, string replica, PublicationState? state, CancellationToken cancellationToken) => primary.UseAsync<IReadOnlyList<PreflightCheck>>(
        async connection =>
        {
            if (await ShardMapTable.ReadNewestAsync(connection, replica, cancellationToken) is not { } layout) return [];
            var facts = (await ShardingFacts.ReadAsync(connection, cancellationToken)).Where(f => state?.Tables.Contains(f.ReplicaName) != false).ToList();
            List<PreflightCheck> checks = [.. facts.Select(f => Lost(f, layout)).OfType<PreflightCheck>()];
            checks.Add(PreflightCheck.Ok(CheckCodes.Sharding, "shards", Describe(layout, facts)));
            return checks;
        },
        cancellationToken);

    private static PreflightCheck? Lost(ShardingFacts table, ShardLayout layout) =>
        layout.Keys.GetValueOrDefault(table.ReplicaName) is { } rule && table.Refuse(rule.Columns) is { } refusal
            ? PreflightCheck.Fail(
                CheckCodes.Sharding, $"table {table.ReplicaName}", $"{refusal.Reason} ({refusal.Code})", "The node stops at the table's next change rather than lose it.", refusal.Fix)
            : null;

    private static string Describe(ShardLayout layout, List<ShardingFacts> facts)
    {
        var sharded = layout.Keys.Select(k => $"{k.Key} by {string.Join("+", k.Value.Columns)}");
        var references = facts.Where(f => !layout.Keys.ContainsKey(f.ReplicaName)).Select(f => FormattableString.Invariant($"{f.ReplicaName} ({f.Bytes >> 10} KiB)")).ToList();
        return FormattableString.Invariant($"{layout.Map.Topology.Shards.Length} shards, map version {layout.Version}. Sharded: {string.Join(", ", sharded)}. ")
            + $"Whole in every shard, having no shard key: {(references.Count == 0 ? "none" : string.Join(", ", references))}.";
    }
}
