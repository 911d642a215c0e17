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
    /// <summary>
    /// The differences, each as a line for people; empty when both sides are equal. Nothing may be writing. With a shard map each file must
    /// hold exactly the rows of its buckets, by the primary's own hash, and every reference row; without one the files hold a table together. Of buckets
    /// that move it must hold all that it has got or may get back.
    /// </summary>
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
            var first = LayoutOf(shardFiles[0]).Layout;
            var key = first?.Keys.GetValueOrDefault(table.ReplicaName)?.OverRow(table);
            var expected = await PrimaryRowsAsync(connection, publication, table, codecs, key);
            if (first is null)
            {
                Compare(differences, table.ReplicaName, [.. expected.Select(r => r.Row)], [.. shardFiles.SelectMany(f => ReplicaRows(f, table, codecs)).Order(StringComparer.Ordinal)]);
                continue;
            }
            foreach (var file in shardFiles)
            {
                var (shard, layout) = LayoutOf(file);
                var held = layout!.HeldBy(shard).Except(ArrivingIn(file, table));
                var here = expected.Where(r => r.Bucket is not { } bucket || held.Contains(bucket)).Select(r => r.Row).ToList();
                Compare(differences, $"{table} in {shard}", here, [.. ReplicaRows(file, table, codecs).Order(StringComparer.Ordinal)]);
            }
        }
        return differences;
    }

    private static void Compare(List<string> differences, string what, List<string> expected, List<string> actual)
    {
        if (expected.SequenceEqual(actual, StringComparer.Ordinal)) return;
        differences.Add($"{what}: {expected.Count} rows on the primary, {actual.Count} here");
        differences.AddRange(expected.Except(actual, StringComparer.Ordinal).Take(5).Select(r => $"{what}: missing {r}"));
        differences.AddRange(actual.Except(expected, StringComparer.Ordinal).Take(5).Select(r => $"{what}: unexpected {r}"));
    }

    private static (ShardId Shard, ShardLayout? Layout) LayoutOf(string file)
    {
        using var database = new SqliteDatabase(file, Path.GetFileName(file), readOnly: true);
        using var metadata = new ShardMetadata(database);
        using var shard = database.Prepare("SELECT shard FROM \"dbsync.shard\"");
        shard.Step();
        return (new ShardId(shard.Text(0)), metadata.LoadLayout());
    }

    private static BucketSet ArrivingIn(string file, TableSchema table)
    {
        using var database = new SqliteDatabase(file, Path.GetFileName(file), readOnly: true);
        using var metadata = new ShardMetadata(database);
        return metadata.LoadArriving().Find(a => a.Table == table.Id).Buckets ?? new BucketSet();
    }

    private static async Task<List<(string Row, Bucket? Bucket)>> PrimaryRowsAsync(
        NpgsqlConnection connection, string publication, TableSchema table, TypeCodec[] codecs, ShardKey? key)
    {
        await using var filterCommand = new NpgsqlCommand(
            "SELECT to_jsonb(p) ->> 'rowfilter' FROM pg_publication_tables AS p WHERE pubname = $1 AND schemaname = $2 AND tablename = $3", connection)
        {
            Parameters = { new() { Value = publication }, new() { Value = table.Schema }, new() { Value = table.Name } },
        };
        var where = await filterCommand.ExecuteScalarAsync() is string filter ? $" WHERE {filter}" : "";
        var columns = table.Columns.Select((c, i) => codecs[i].CanonicalSql(PgName.Quote(c.Name))).Append(key is null ? "-1::bigint" : BucketSql.Expression(key));
        await using var command = new NpgsqlCommand($"SELECT {string.Join(", ", columns)} FROM {PgName.RowsOf(table)}{where}", connection) { CommandTimeout = 300 };
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<(string Row, Bucket? Bucket)>();
        while (await reader.ReadAsync())
            rows.Add((
                string.Join('|', Enumerable.Range(0, codecs.Length).Select(i => reader.IsDBNull(i) ? "∅" : reader.GetString(i))),
                key is null ? null : new Bucket((ushort)reader.GetInt64(codecs.Length))));
        rows.Sort((left, right) => string.CompareOrdinal(left.Row, right.Row));
        return rows;
    }

    private static List<string> ReplicaRows(string file, TableSchema table, TypeCodec[] codecs)
    {
        using var database = new SqliteDatabase(file, Path.GetFileName(file));
        SqliteCollations.RegisterBuiltIn(database.Handle);
        using (var metadata = new ShardMetadata(database))
            foreach (var (collation, labels) in metadata.LoadEnums()) SqliteCollations.RegisterEnum(database.Handle, collation, labels);
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
