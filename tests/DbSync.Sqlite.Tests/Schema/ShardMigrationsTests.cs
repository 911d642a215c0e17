using DbSync.Testing;

namespace DbSync.Sqlite.Tests.Schema;

public sealed class ShardMigrationsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_file_of_every_earlier_version_is_migrated_where_it_is_with_what_it_holds()
    {
        var fresh = ShapeOf(File("fresh", version: 0));
        for (var version = 1; version <= ShardMigrations.Scripts().Count; version++)
        {
            var path = File($"from {version}", version);
            ShapeOf(path).ShouldBe(fresh, $"from {version}");
            using var database = new SqliteDatabase(path, "shard");
            database.QueryInteger("SELECT applied_lsn FROM \"dbsync.shard\"").ShouldBe(77);
        }
    }

    [Fact]
    public void A_script_that_fails_leaves_the_file_as_it_was()
    {
        var path = File("broken", version: 1, "CREATE TABLE \"dbsync.layout\" (x)"); // what the second script is about to create
        var before = ShapeOf(path, migrate: false);
        Should.Throw<DbSyncException>(() => ShapeOf(path));
        ShapeOf(path, migrate: false).ShouldBe(before);
    }

    /// <summary>A file that the first scripts made, with a row in it.</summary>
    private string File(string name, int version, string? more = null)
    {
        var path = _directory[$"{name}.db"];
        using var database = new SqliteDatabase(path, name);
        foreach (var script in ShardMigrations.Scripts().Take(version)) database.Execute(script);
        if (version > 0) database.Execute("INSERT INTO \"dbsync.shard\" (id, replica, node, shard, applied_lsn, commits) VALUES (1, 'main', 'n', 's0', 77, 1); PRAGMA application_id = 0x44625379");
        if (more is not null) database.Execute(more);
        database.Execute(FormattableString.Invariant($"PRAGMA user_version = {version}"));
        return path;
    }

    private static string ShapeOf(string path, bool migrate = true)
    {
        using var database = new SqliteDatabase(path, "shard");
        if (migrate) ShardMigrations.Apply(database, "shard");
        var shape = new List<string>();
        using (var rows = database.Prepare("SELECT s.name, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_schema AS s JOIN pragma_table_xinfo(s.name) AS c WHERE s.type = 'table' ORDER BY s.name, c.cid"))
            while (rows.Step()) shape.Add($"{rows.Text(0)}.{rows.Text(1)} {rows.Text(2)} {rows.Integer(3)} {rows.Integer(4)}");
        shape.Add($"version {database.QueryInteger("PRAGMA user_version")}");
        return string.Join('\n', shape);
    }
}
