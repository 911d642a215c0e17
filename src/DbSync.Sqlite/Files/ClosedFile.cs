namespace DbSync.Sqlite;

/// <summary>What is done with a shard file as a whole, while no node has it open.</summary>
internal static class ClosedFile
{
    /// <summary>Reads all of a file and checks that it is a sound database.</summary>
    /// <exception cref="DbSyncException">DBS4001 when it is not.</exception>
    public static void CheckSound(string path)
    {
        using var database = new SqliteDatabase(path, Path.GetFileName(path), readOnly: true);
        SqliteCollations.RegisterBuiltIn(database.Handle);
        using (var metadata = new ShardMetadata(database))
            foreach (var (collation, labels) in metadata.LoadEnums()) SqliteCollations.RegisterEnum(database.Handle, collation, labels);
        using var check = database.Prepare("PRAGMA quick_check(1)");
        if (check.Step() && check.Text(0) == "ok") return;
        throw new DbSyncException(ErrorCodes.ShardFileDamaged, $"'{Path.GetFileName(path)}' is damaged.", "Check the disk; 'dbsync resync' copies everything again.");
    }

    /// <summary>Makes the file of a shard that is to begin at a position of others, with nothing in it yet.</summary>
    public static void CreateAt(string path, ShardIdentity identity, Lsn position, ShardLayout layout)
    {
        foreach (var left in new[] { path, $"{path}-wal", $"{path}-shm" }) File.Delete(left);
        using var file = new ShardFile(path, identity);
        file.Begin(durable: true);
        file.SaveLayout(layout);
        file.Commit(position);
    }

    /// <summary>Makes a file that nobody has open another node's.</summary>
    public static void GiveTo(string path, string node)
    {
        using var database = new SqliteDatabase(path, Path.GetFileName(path));
        database.Execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL");
        using (var update = database.Prepare("UPDATE \"dbsync.shard\" SET node = ?")) update.Bind(1, node).Run();
        database.Execute("PRAGMA journal_mode = WAL");
    }
}
