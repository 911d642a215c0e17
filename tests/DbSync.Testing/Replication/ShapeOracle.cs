using DbSync.Postgres;
using DbSync.Postgres.Types;
using DbSync.Sqlite;

namespace DbSync.Testing;

/// <summary>Says whether a shard file has exactly the tables, columns and indexes that one built from scratch would have.</summary>
public static class ShapeOracle
{
    /// <summary>The differences, each as a line for people; empty when there are none. Nothing may be writing.</summary>
    public static async Task<IReadOnlyList<string>> CompareAsync(string connectionString, string publication, string shardFile)
    {
        await using var primary = new Primary(connectionString);
        await using var connection = await primary.OpenAsync(CancellationToken.None);
        var expected = new TableCatalog(new TypeCatalog()).Load(connection, publication, null).Where(t => !t.IsControl).ToList();
        using var file = new SqliteDatabase(shardFile, Path.GetFileName(shardFile), readOnly: true);
        using var metadata = new ShardMetadata(file);
        foreach (var (collation, labels) in metadata.LoadEnums()) SqliteCollations.RegisterEnum(file.Handle, collation, labels);
        SqliteCollations.RegisterBuiltIn(file.Handle);
        using var directory = new TemporaryDirectory();
        using var fresh = new SqliteDatabase(directory["fresh.db"], "fresh.db");
        SqliteCollations.RegisterBuiltIn(fresh.Handle);
        var here = metadata.LoadTables().Where(t => !t.Schema.IsControl).ToDictionary(t => t.Schema.Id);
        var differences = here.Values.ExceptBy(expected.Select(t => t.Id), t => t.Schema.Id).Select(t => $"{t.Schema} is here, and not published").ToList();
        foreach (var table in expected)
        {
            if (!here.TryGetValue(table.Id, out var record))
            {
                differences.Add($"{table} is not here");
                continue;
            }
            if (record.State != TableState.Live) differences.Add($"{table} is {record.State}");
            if (!record.Schema.IsDescribedLike(table)) differences.Add($"{table} is remembered as {record.Schema with { Marks = null }} and is {table with { Marks = null }}: {Text(record.Schema)} / {Text(table)}");
            foreach (var order in table.Enums) SqliteCollations.RegisterEnum(fresh.Handle, order.Collation, order.Labels);
            fresh.Execute(ReplicaTable.CreateSql(table));
            TableIndexes.Match(fresh, table);
            var (wanted, found) = (Describe(fresh, table.ReplicaName), Describe(file, table.ReplicaName));
            if (wanted != found) differences.Add($"{table} is {found} and would be {wanted}");
        }
        return differences;
    }

    private static string Text(TableSchema table) =>
        $"{string.Join(", ", table.Columns)} key {string.Join(',', table.Key)} indexes {string.Join(", ", table.Indexes.Select(i => $"{i.Name}({string.Join(',', i.Columns)})"))} "
        + $"marks {string.Join(", ", table.Marks ?? [])} enums {string.Join(", ", table.Enums.Select(e => $"{e.Collation}:{string.Join('/', e.Labels)}"))} entry {table.Entry} partitions {string.Join(", ", table.Partitions ?? [])}";

    private static string Describe(SqliteDatabase database, string table)
    {
        var columns = new List<string>();
        using (var rows = database.Prepare("SELECT name, type, pk FROM pragma_table_xinfo(?) ORDER BY cid").Bind(1, table))
            while (rows.Step()) columns.Add($"{rows.Text(0)} {rows.Text(1)} {rows.Integer(2)}");
        var indexes = TableIndexes.Read(database, table).Select(i => string.Join(',', i.Columns.Select(c => c.IsDescending ? $"{c.Name} DESC" : c.Name))).Order(StringComparer.Ordinal);
        return $"({string.Join(", ", columns)}; {string.Join("; ", indexes)})";
    }
}
