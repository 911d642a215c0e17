using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Asks PostgreSQL in which chunk keys are, by its own comparison of the key's types under the columns' own collations: what C# can't
/// reproduce for linguistic text, and need not for the rest.
/// </summary>
internal static class ChunkFinder
{
    // The collations that the key's columns compare under, by the columns' order in the key; NULL where a type has none.
    private const string CollationsSql =
        """
        SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(co.collname)
        FROM unnest($2::text[]) WITH ORDINALITY AS key(name, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = $1::bigint::oid AND a.attname = key.name AND NOT a.attisdropped
        LEFT JOIN pg_catalog.pg_collation AS co ON co.oid = a.attcollation
        LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = co.collnamespace
        ORDER BY key.place
        """;

    public static async Task<int[]> FindAsync(
        NpgsqlConnection connection, TableSchema table, IReadOnlyList<ChunkBound> bounds, IReadOnlyList<byte[]> keys, CancellationToken cancellationToken)
    {
        var columns = table.Key.Select(k => table.Columns[k]).ToList();
        var collations = await CollationsAsync(connection, table, columns, cancellationToken);
        string Typed(string value, int column) =>
            $"{value}::{columns[column].TypeName}{(collations[column] is { } collation ? $" COLLATE {collation}" : "")}";
        var ends = string.Join(", ", bounds.Select(b => $"ROW({string.Join(", ", b.Literals.Select((l, i) => Typed(PgName.Literal(l), i)))})"));
        var key = string.Join(", ", columns.Select((_, i) => Typed($"asked.k{i}", i)));
        var arrays = string.Join(", ", columns.Select((_, i) => $"${i + 1}::text[]"));
        var names = string.Join(", ", columns.Select((_, i) => $"k{i}"));
        var literals = keys.Select(k => KeyLiterals.Of(table, k)).ToList();
        await using var command = Primary.Command(
            connection,
            $"SELECT pg_catalog.width_bucket(ROW({key}), ARRAY[{ends}]) FROM unnest({arrays}) WITH ORDINALITY AS asked({names}, place) ORDER BY asked.place",
            [.. columns.Select((_, i) => literals.Select(l => l[i]).ToArray())]);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var chunks = new int[keys.Count];
        for (var i = 0; await reader.ReadAsync(cancellationToken); i++) chunks[i] = reader.GetInt32(0);
        return chunks;
    }

    private static async Task<List<string?>> CollationsAsync(
        NpgsqlConnection connection, TableSchema table, List<ColumnSchema> columns, CancellationToken cancellationToken)
    {
        await using var command = Primary.Command(connection, CollationsSql, (long)table.Id.Oid, columns.Select(c => c.Name).ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var collations = new List<string?>();
        while (await reader.ReadAsync(cancellationToken)) collations.Add(reader.IsDBNull(0) ? null : reader.GetString(0));
        if (collations.Count != columns.Count) throw new ChunkNotReadyException($"{table} has changed its shape", isGone: true);
        return collations;
    }
}
