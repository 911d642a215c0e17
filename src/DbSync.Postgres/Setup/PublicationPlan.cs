namespace DbSync.Postgres;

/// <summary>Which tables a replica takes, which it leaves out and why. Nothing is published whose UPDATE or DELETE would then fail.</summary>
/// <param name="Tables">The tables to publish, those that are published already among them.</param>
/// <param name="Refused">The others that were asked for, or that there are.</param>
internal sealed record PublicationPlan(IReadOnlyList<TableFacts> Tables, IReadOnlyList<Refusal> Refused)
{
    /// <param name="tables">Every table of the primary.</param>
    /// <param name="named">The tables that were named, as the user wrote them; null for every table.</param>
    /// <param name="published">The names of those that are published already.</param>
    /// <param name="serverVersion">As <c>server_version_num</c> has it.</param>
    /// <exception cref="DbSyncException">DBS2005 a named table does not exist; the refusal's own code when a named table can't be published.</exception>
    public static PublicationPlan Of(
        IReadOnlyList<TableFacts> tables, IReadOnlyCollection<string>? named, IReadOnlySet<string> published, int serverVersion)
    {
        var wanted = named is null ? tables : [.. named.Select(n => Find(tables, n)).Concat(tables.Where(t => published.Contains(t.ReplicaName))).Distinct()];
        var refused = wanted.Select(t => Refusal.Of(t, serverVersion)).OfType<Refusal>().ToList();
        var left = wanted.Where(t => !refused.Any(r => r.Table == t.ReplicaName)).ToList();
        refused.AddRange(Collisions(left, published));
        if (named is not null && refused.FirstOrDefault(r => !published.Contains(r.Table)) is { } refusal)
            throw new DbSyncException(refusal.Code, $"Table {refusal.Table} can't be published. {refusal.Reason}", refusal.Fix);
        return new PublicationPlan([.. left.Where(t => !refused.Any(r => r.Table == t.ReplicaName))], refused);
    }

    /// <summary>Two tables whose names are one in SQLite: the one that is published already stays.</summary>
    private static IEnumerable<Refusal> Collisions(List<TableFacts> tables, IReadOnlySet<string> published) =>
        from twins in tables.GroupBy(t => t.ReplicaName, StringComparer.OrdinalIgnoreCase)
        where twins.Count() > 1
        from table in twins
        where !published.Contains(table.ReplicaName)
        let other = twins.First(t => t != table)
        select new Refusal(
            table.ReplicaName,
            ErrorCodes.NameCollision,
            $"In SQLite its name is also that of {other.Quoted}.",
            $"ALTER TABLE {table.Quoted} RENAME TO {PgName.Quote(table.Name + "_2")};");

    private static TableFacts Find(IReadOnlyList<TableFacts> tables, string name) =>
        tables.FirstOrDefault(t => t.ReplicaName == name || $"{t.Schema}.{t.Name}" == name)
        ?? throw new DbSyncException(
            ErrorCodes.UnknownTable, $"The primary has no table {name}.",
            "Write it as schema.table, with its upper and lower case; views, partitions and foreign tables can't be replicated.");
}
