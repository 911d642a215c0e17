using DbSync.Testing;

namespace DbSync.Sqlite.Tests.Files;

public sealed class ShardFileTests : ReplicaStoreContract
{
    [Fact]
    public void Another_programs_file_is_refused()
    {
        using (var other = new SqliteDatabase(FileOf(DataPath, "s0"), "other")) other.Execute("CREATE TABLE t (a); PRAGMA user_version = 3");
        using var store = Create(DataPath, "main", "s0");
        Should.Throw<DbSyncException>(() => store.Open()).Code.ShouldBe(ErrorCodes.ShardFileMismatch);
    }

    [Fact]
    public void The_files_of_a_shard_are_closed_to_others()
    {
        Use(shard => Commit(shard, 1, () => Make(shard, Keyed)));
        using var store = Create(DataPath, "main", "s0");
        Commit(store.Open().Single(), 2, () => { });
        var files = Directory.GetFiles(DataPath);
        files.Length.ShouldBeGreaterThan(1);
        foreach (var file in files) File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite, Path.GetFileName(file));
    }

    [Fact]
    public void The_row_count_beside_a_table_follows_every_kind_of_change()
    {
        Use(shard =>
        {
            Commit(shard, 1, () =>
            {
                Make(shard, Keyed);
                for (var i = 0; i < 10; i++) Insert(shard, Keyed, i, "a", "b");
            });
            Commit(shard, 2, () =>
            {
                shard.Delete(Keyed, TestTable.Row(3)).ShouldBe(1);
                shard.Delete(Keyed, TestTable.Row(3)).ShouldBe(0);
                shard.Replace(Keyed, TestTable.Row(4), TestTable.Row(40, "a", "b")).ShouldBe(1);
            });
            RowsOf("orders").ShouldBe(9);
            shard.Begin(durable: false);
            Insert(shard, Keyed, 99, "a", "b");
            shard.Rollback();
            Commit(shard, 3, () => Insert(shard, Keyed, 100, "a", "b"));
            RowsOf("orders").ShouldBe(10);
            Commit(shard, 4, () =>
            {
                Insert(shard, Keyed, 101, "a", "b");
                shard.Truncate(Keyed);
                Insert(shard, Keyed, 1, "a", "b");
            });
            RowsOf("orders").ShouldBe(1);
        });
    }

    internal static string FileOf(string directory, string shard) => Path.Combine(directory, NodeFile.FileNameOf(shard, 1));

    internal static IReplicaStore Open(string directory, string replica, string shard) => new ReplicaStore(
        directory, new NodeFile(replica, "node", "slot", "publication", "", "", [new NodeFile.Shard(shard, NodeFile.FileNameOf(shard, 1))]));

    internal override IReplicaStore Create(string directory, string replica, string shard) => Open(directory, replica, shard);

    protected override void MakeNewer(string directory, string shard)
    {
        using var database = new SqliteDatabase(FileOf(directory, shard), shard);
        database.Execute("PRAGMA user_version = 9999");
    }

    protected override void Damage(string directory, string shard)
    {
        using var file = File.OpenWrite(FileOf(directory, shard));
        file.Write(new byte[64]);
    }

    private long RowsOf(string table)
    {
        using var view = new ShardView(DataPath, new NodeFile.Shard("s0", NodeFile.FileNameOf("s0", 1)));
        return view.Progress().Single(p => p.Name == table).Rows;
    }
}

public sealed class ShardFileCopyStateTests : CopyStateContract
{
    internal override IReplicaStore Create(string directory, string replica, string shard) => ShardFileTests.Open(directory, replica, shard);
}
