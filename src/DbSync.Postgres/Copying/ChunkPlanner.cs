using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Cuts a table into chunks of about equal size: the keys of a random sample of its pages, sorted, give the quantiles. It needs no
/// statistics that may be stale, works for any key, and reads a small share of the table.
/// </summary>
internal sealed class ChunkPlanner(TableCatalog catalog)
{
    private const int SamplesPerChunk = 100;
    private const int PageBytes = 8192;

    /// <summary>The keys at which chunks end; empty when the table is one chunk.</summary>
    public async Task<IReadOnlyList<ChunkBound>> PlanAsync(
        NpgsqlConnection connection, TableSchema table, long chunkBytes, CancellationToken cancellationToken)
    {
        try
        {
            return await SampleAsync(connection, table, chunkBytes, cancellationToken);
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.UndefinedTable
            or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.InvalidSchemaName)
        {
            return []; // renamed or altered meanwhile, and not locked here: whoever reads the first chunk finds out what it is now
        }
    }

    private async Task<IReadOnlyList<ChunkBound>> SampleAsync(
        NpgsqlConnection connection, TableSchema table, long chunkBytes, CancellationToken cancellationToken)
    {
        var codecs = catalog.CodecsOf(table);
        if (!table.HasKey || !table.Key.All(k => table.Columns[k].OrdersAlike || codecs[k].RoundTrips)) return [];
        // Not pg_partition_tree, which keeps the locks of all partitions while it waits for the table's: somebody's ALTER would be in a deadlock.
        await using var size = Primary.Command(
            connection,
            """
            WITH RECURSIVE part (oid) AS (
                SELECT $1::oid
                UNION ALL
                SELECT i.inhrelid FROM part JOIN pg_catalog.pg_inherits AS i ON i.inhparent = part.oid JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
            )
            SELECT coalesce(sum(pg_catalog.pg_relation_size(part.oid::regclass)), 0)::bigint FROM part
            """,
            (long)table.Id.Oid);
        var bytes = (long)(await size.ExecuteScalarAsync(cancellationToken))!;
        var chunks = (int)Math.Min(1_000_000, bytes / chunkBytes);
        if (chunks < 2) return [];

        // A page holds some dozens of rows as a rule; ten rows a page are assumed, so that there are rather more samples than fewer.
        var percent = Math.Clamp(100.0 * chunks * SamplesPerChunk / 10 / (bytes / (double)PageBytes), 0.01, 100);
        var keys = string.Join(", ", table.Key.Select(k => PgName.Quote(table.Columns[k].Name)));
        var texts = string.Join(", ", table.Key.Select(k => $"sample.{PgName.Quote(table.Columns[k].Name)}::text"));
        var order = string.Join(", ", table.Key.Select(k => $"sample.{PgName.Quote(table.Columns[k].Name)}")); // a bare name would mean the text
        await using var command = new NpgsqlCommand(
            FormattableString.Invariant(
                $"SELECT {texts} FROM (SELECT {keys} FROM {PgName.RowsOf(table)} TABLESAMPLE SYSTEM ({percent:F4})) AS sample ORDER BY {order}"),
            connection);
        var samples = new List<string[]>();
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
                samples.Add([.. Enumerable.Range(0, table.Key.Length).Select(reader.GetString)]);
        }
        return Quantiles(table, samples, chunks);
    }

    private List<ChunkBound> Quantiles(TableSchema table, List<string[]> samples, int chunks)
    {
        var codecs = table.Key.All(k => table.Columns[k].OrdersAlike) ? catalog.CodecsOf(table) : null; // else nobody compares them here
        var bounds = new List<ChunkBound>(chunks);
        string[]? last = null;
        for (var i = 1; i < chunks && samples.Count > 0; i++)
        {
            var literals = samples[(int)((long)i * samples.Count / chunks)];
            if (last is not null && literals.SequenceEqual(last)) continue;
            bounds.Add(new ChunkBound(literals, codecs is null ? [] : CellsOf(table, codecs, literals)));
            last = literals;
        }
        return bounds;
    }

    private static byte[] CellsOf(TableSchema table, TypeCodec[] codecs, string[] literals)
    {
        var cells = new ChangeBuffer(256);
        for (var i = 0; i < literals.Length; i++)
            codecs[table.Key[i]].DecodeText(System.Text.Encoding.UTF8.GetBytes(literals[i]), cells);
        return cells.Written.ToArray();
    }
}
