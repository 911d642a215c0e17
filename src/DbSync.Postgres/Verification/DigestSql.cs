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

    /// <summary>The condition that a row is in some pages of its table.</summary>
    public static string InPages(TableSchema table, long from, long? to)
    {
        var place = $"{PgName.Quote(table.Name)}.ctid"; // in a join it has to be said whose
        return FormattableString.Invariant($"{place} >= '({from},0)'::tid") + (to is null ? "" : FormattableString.Invariant($" AND {place} < '({to},0)'::tid"));
    }

    /// <summary>Key hash and row hash of every row in the groups of parameter 1.</summary>
    public static string RowsOfGroups(TableSchema table, TypeCodec[] codecs, string? filter) =>
        $"""
        SELECT d.k, d.r
        FROM ({Rows(table, codecs, filter)}) AS d
        WHERE ((d.k >> 54) & {GroupDigests.GroupCount - 1})::int4 = ANY ($1)
        """;

    /// <summary>Key hash, and the key's columns in PostgreSQL's text form, of the rows whose key hashes are parameter 1.</summary>
    public static string KeysOfRows(TableSchema table, TypeCodec[] codecs, string? filter) =>
        $"""
        SELECT d.k, {string.Join(", ", table.Key.Select((_, i) => $"d.t{i}"))}
        FROM ({Rows(table, codecs, filter, Extra.KeyTexts)}) AS d
        WHERE d.k = ANY ($1)
        """;

    /// <summary>Key hash, and every column in canonical form, of the rows whose key hashes are parameter 1.</summary>
    public static string ValuesOfRows(TableSchema table, TypeCodec[] codecs, string? filter) =>
        $"""
        SELECT d.k, {string.Join(", ", codecs.Select((_, i) => $"d.c{i}"))}
        FROM ({Rows(table, codecs, filter, Extra.Values)}) AS d
        WHERE d.k = ANY ($1)
        """;

    /// <summary>What is selected of a row besides its hashes.</summary>
    private enum Extra
    {
        Nothing,
        KeyTexts,
        Values,
    }

    // OFFSET 0 keeps PostgreSQL from computing each column's text, and each hash, once for every time it is mentioned.
    private static string Rows(TableSchema table, TypeCodec[] codecs, string? filter, Extra extra = Extra.Nothing)
    {
        var columns = string.Join(", ", table.Columns.Select((c, i) => FormattableString.Invariant($"{codecs[i].CanonicalSql(PgName.Quote(c.Name))} AS c{i}")));
        if (extra == Extra.KeyTexts) columns += string.Concat(table.Key.Select((k, i) => $", pg_catalog.format('%s', {PgName.Quote(table.Columns[k].Name)}) AS t{i}"));
        var more = extra switch
        {
            Extra.KeyTexts => string.Concat(table.Key.Select((_, i) => $", v.t{i}")),
            Extra.Values => string.Concat(codecs.Select((_, i) => $", v.c{i}")),
            _ => "",
        };
        var row = Hash(Enumerable.Range(0, table.Columns.Length));
        var key = table.HasKey ? Hash(table.Key) : row;
        var where = filter is null ? "" : $" WHERE ({filter})";
        return $"SELECT {key} AS k, {row} AS r{more} FROM {PgName.RowsOf(table)} CROSS JOIN LATERAL (SELECT {columns} OFFSET 0) AS v{where} OFFSET 0";
    }

    private static string Hash(IEnumerable<int> columns)
    {
        var text = string.Join(" || ", columns.Select(i => FormattableString.Invariant($"coalesce(pg_catalog.octet_length(v.c{i}) || ':' || v.c{i}, 'N')")));
        return $"pg_catalog.hashtextextended(({text}) COLLATE \"C\", 0)";
    }
}
