using Npgsql;

namespace DbSync.Postgres;

/// <summary>What the application's model says of a table; EF Core migrations have written it to the primary.</summary>
/// <param name="Table">The table, as the replica calls it.</param>
/// <param name="Placement"><c>default</c>, <c>sharded</c>, <c>reference</c>, or <c>none</c> for a table that is not replicated.</param>
/// <param name="ShardKey">The columns it is sharded by; empty when it is not.</param>
internal sealed record TableChoice(string Table, string Placement, string[] ShardKey)
{
    public bool IsLeftOut => Placement == "none";

    /// <summary>What was chosen; empty where no migration ever did.</summary>
    public static async Task<IReadOnlyList<TableChoice>> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using (var exists = Primary.Command(connection, "SELECT pg_catalog.to_regclass('dbsync.table_choice') IS NOT NULL"))
        {
            if (!(bool)(await exists.ExecuteScalarAsync(cancellationToken))!) return [];
        }
        await using var command = Primary.Command(
            connection,
            """
            SELECT pg_catalog.concat_ws('.', nullif(n.nspname, 'public'), c.relname), ch.placement, ch.shard_key
            FROM dbsync.table_choice AS ch
            JOIN pg_catalog.pg_class AS c ON c.oid = ch.relation JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            ORDER BY 1
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var choices = new List<TableChoice>();
        while (await reader.ReadAsync(cancellationToken)) choices.Add(new TableChoice(reader.GetString(0), reader.GetString(1), reader.GetFieldValue<string[]>(2)));
        return choices;
    }

    /// <summary>A request with what the model says added; what was asked for by name comes first.</summary>
    public static ShardingRequest Join(ShardingRequest request, IReadOnlyList<TableChoice> choices, IReadOnlyList<TableFacts> tables)
    {
        var asked = choices.Where(c => tables.Any(t => t.ReplicaName == c.Table && !Names(request, t))).ToList();
        return request with
        {
            Keys = request.Keys.Concat(asked.Where(c => c.Placement == "sharded").Select(c => KeyValuePair.Create(c.Table, c.ShardKey))).ToDictionary(StringComparer.Ordinal),
            References = [.. request.References, .. asked.Where(c => c.Placement == "reference").Select(c => c.Table)],
        };
    }

    private static bool Names(ShardingRequest request, TableFacts table) =>
        request.Keys.Keys.Concat(request.References).Any(n => n == table.ReplicaName || n == $"{table.Schema}.{table.Name}");
}
