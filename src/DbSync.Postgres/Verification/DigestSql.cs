using DbSync.Postgres.Types;

namespace DbSync.Postgres;

/// <summary>
/// The queries that digest a table on the primary. A row's text is the canonical text of each column after its length in bytes, N for NULL,
/// so that no two rows share one; <see cref="RowHasher"/> builds the same bytes from a shard's cells.
/// </summary>
internal static class DigestSql
{
    /// <summary>Rows and sum of row hashes by group.</summary>
    public static string Groups(TableSchema table, TypeCodec[] codecs, string? filter) =>
        $"""
        SELECT ((d.k >> 54) & {GroupDigests.GroupCount - 1})::int4, count(*), sum(d.r)::text
        FROM ({Rows(table, codecs, filter)}) AS d
        GROUP BY 1
        """;

    /// <summary>Key hash and row hash of every row in the groups of parameter 1.</summary>
    public static string RowsOfGroups(TableSchema table, TypeCodec[] codecs, string? filter) =>
        $"""
        SELECT d.k, d.r
        FROM ({Rows(table, codecs, filter)}) AS d
        WHERE ((d.k >> 54) & {GroupDigests.GroupCount - 1})::int4 = ANY ($1)
        """;

    // OFFSET 0 keeps PostgreSQL from computing each column's text, and each hash, once for every time it is mentioned.
    private static string Rows(TableSchema table, TypeCodec[] codecs, string? filter)
    {
        var columns = string.Join(", ", table.Columns.Select((c, i) => FormattableString.Invariant($"{codecs[i].CanonicalSql(PgName.Quote(c.Name))} AS c{i}")));
        var row = Hash(Enumerable.Range(0, table.Columns.Length));
        var key = table.HasKey ? Hash(table.Key) : row;
        var where = filter is null ? "" : $" WHERE ({filter})";
        return $"SELECT {key} AS k, {row} AS r FROM {PgName.RowsOf(table)} CROSS JOIN LATERAL (SELECT {columns} OFFSET 0) AS v{where} OFFSET 0";
    }

    private static string Hash(IEnumerable<int> columns)
    {
        var text = string.Join(" || ", columns.Select(i => FormattableString.Invariant($"coalesce(pg_catalog.octet_length(v.c{i}) || ':' || v.c{i}, 'N')")));
        return $"pg_catalog.hashtextextended(({text}) COLLATE \"C\", 0)";
    }
}
