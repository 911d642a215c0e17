using System.Buffers;
using System.Text;
using DbSync.Postgres;
using DbSync.Postgres.Types;
using DbSync.Sqlite;
using Npgsql;

namespace DbSync.Testing;

/// <summary>Says whether a replica's tables hold exactly the primary's rows under the value contract, row by row.</summary>
public static class ReplicaOracle
{
    /// <summary>The differences, each as a line for people; empty when both sides are equal. Nothing may be writing.</summary>
    public static async Task<IReadOnlyList<string>> CompareAsync(string connectionString, string publication, IReadOnlyList<string> shardFiles)
    {
        await using var primary = new Primary(connectionString);
        var types = new TypeCatalog();
        var catalog = new TableCatalog(types);
        await using var connection = await primary.OpenAsync(CancellationToken.None);
        var differences = new List<string>();
        foreach (var table in catalog.Load(connection, publication, null))
        {
            if (table.IsControl) continue;
            var codecs = catalog.CodecsOf(table);
            var expected = await PrimaryRowsAsync(connection, publication, table, codecs);
            var actual = shardFiles.SelectMany(f => ReplicaRows(f, table, codecs)).Order(StringComparer.Ordinal).ToList();
            if (expected.SequenceEqual(actual, StringComparer.Ordinal)) continue;
            differences.Add($"{table}: {expected.Count} rows on the primary, {actual.Count} here");
            differences.AddRange(expected.Except(actual, StringComparer.Ordinal).Take(5).Select(r => $"{table}: missing {r}"));
            differences.AddRange(actual.Except(expected, StringComparer.Ordinal).Take(5).Select(r => $"{table}: unexpected {r}"));
        }
        return differences;
    }

    private static async Task<List<string>> PrimaryRowsAsync(NpgsqlConnection connection, string publication, TableSchema table, TypeCodec[] codecs)
    {
        await using var filterCommand = new NpgsqlCommand(
            "SELECT to_jsonb(p) ->> 'rowfilter' FROM pg_publication_tables AS p WHERE pubname = $1 AND schemaname = $2 AND tablename = $3", connection)
        {
            Parameters = { new() { Value = publication }, new() { Value = table.Schema }, new() { Value = table.Name } },
        };
        var where = await filterCommand.ExecuteScalarAsync() is string filter ? $" WHERE {filter}" : "";
        var columns = table.Columns.Select((c, i) => codecs[i].CanonicalSql(PgName.Quote(c.Name)));
        await using var command = new NpgsqlCommand($"SELECT {string.Join(", ", columns)} FROM {PgName.RowsOf(table)}{where}", connection) { CommandTimeout = 300 };
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
            rows.Add(string.Join('|', Enumerable.Range(0, codecs.Length).Select(i => reader.IsDBNull(i) ? "∅" : reader.GetString(i))));
        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    private static List<string> ReplicaRows(string file, TableSchema table, TypeCodec[] codecs)
    {
        using var database = new SqliteDatabase(file, Path.GetFileName(file));
        SqliteCollations.RegisterBuiltIn(database.Handle);
        using var statement = database.Prepare($"SELECT {SqlName.List(table.Columns.Select(c => c.Name))} FROM {SqlName.Quote(table.ReplicaName)}");
        var rows = new List<string>();
        var cells = new ChangeBuffer(1024);
        var text = new ArrayBufferWriter<byte>();
        while (statement.Step())
        {
            cells.Clear();
            for (var i = 0; i < codecs.Length; i++) statement.AppendCell(i, cells);
            var rest = cells.Written;
            var row = new StringBuilder();
            for (var i = 0; i < codecs.Length; i++)
            {
                var cell = Cell.Read(ref rest);
                text.ResetWrittenCount();
                if (cell.Kind != CellKind.Null) codecs[i].WriteCanonical(cell, text);
                row.Append(i == 0 ? "" : "|").Append(cell.Kind == CellKind.Null ? "∅" : Encoding.UTF8.GetString(text.WrittenSpan));
            }
            rows.Add(row.ToString());
        }
        return rows;
    }
}
