namespace DbSync.Sqlite;

/// <summary>The indexes of a replica table, told apart by what they are over: their names only have to be free.</summary>
internal static class TableIndexes
{
    /// <summary>Makes a table's indexes those that it is described with.</summary>
    public static void Match(SqliteDatabase database, TableSchema table)
    {
        var there = Read(database, table.ReplicaName);
        var wanted = table.Indexes.Select(i => (Index: i, Columns: i.Columns.Select((c, at) => new IndexColumn(table.Columns[c].Name, i.Descending[at])).ToList())).ToList();
        foreach (var index in there.Where(t => !wanted.Exists(w => w.Columns.SequenceEqual(t.Columns)))) Drop(database, index.Name);
        var built = there.ConvertAll(t => t.Columns);
        foreach (var (index, columns) in wanted)
        {
            if (built.Exists(b => b.SequenceEqual(columns))) continue;
            built.Add(columns);
            database.Execute(ReplicaTable.CreateIndexSql(table, index, FreeName(database, $"{table.ReplicaName}.{index.Name}")));
        }
    }

    public static void Drop(SqliteDatabase database, string table, Func<ShardIndex, bool> which)
    {
        foreach (var index in Read(database, table).Where(which)) Drop(database, index.Name);
    }

    /// <summary>The indexes that were created, that of the key left out.</summary>
    public static List<ShardIndex> Read(SqliteDatabase database, string table)
    {
        var names = new List<string>();
        using (var rows = database.Prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL ORDER BY name").Bind(1, table))
            while (rows.Step()) names.Add(rows.Text(0));
        return names.ConvertAll(name =>
        {
            var columns = new List<IndexColumn>();
            using var rows = database.Prepare("SELECT name, \"desc\" FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno").Bind(1, name);
            while (rows.Step()) columns.Add(new IndexColumn(rows.Text(0), rows.Integer(1) != 0));
            return new ShardIndex(name, columns);
        });
    }

    private static void Drop(SqliteDatabase database, string name) => database.Execute($"DROP INDEX {SqlName.Quote(name)}");

    private static string FreeName(SqliteDatabase database, string wanted)
    {
        using var taken = database.Prepare("SELECT 1 FROM sqlite_schema WHERE lower(name) = lower(?)");
        for (var i = 1; ; i++)
        {
            var name = i == 1 ? wanted : $"{wanted}.{i}";
            var isTaken = taken.Bind(1, name).Step();
            taken.Reset();
            if (!isTaken) return name;
        }
    }
}

/// <summary>An index in a shard file.</summary>
internal sealed record ShardIndex(string Name, IReadOnlyList<IndexColumn> Columns);

/// <summary>A column of an index, and whether it descends.</summary>
internal readonly record struct IndexColumn(string Name, bool IsDescending);
