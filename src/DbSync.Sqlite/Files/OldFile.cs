namespace DbSync.Sqlite;

/// <summary>A shard file that is current no longer.</summary>
internal static class OldFile
{
    /// <summary>
    /// Deletes it and its companions, unless somebody has it open. SQLite leaves WAL mode only for who has the file alone; afterwards all of it
    /// is in the one file, so that a reader who has opened it and not read yet finds it whole.
    /// </summary>
    public static bool TryDelete(string path)
    {
        try
        {
            using (var database = new SqliteDatabase(path, Path.GetFileName(path), busyTimeoutMs: 0))
                if (!LeavesWal(database)) return false;
        }
        catch (DbSyncException exception) when (exception.Code == ErrorCodes.ShardFileDamaged)
        {
            // Nobody can read it.
        }
        catch (DbSyncException)
        {
            return false; // it is busy, or can't be opened now
        }
        foreach (var file in new[] { path, $"{path}-wal", $"{path}-shm" }) File.Delete(file);
        return true;
    }

    private static bool LeavesWal(SqliteDatabase database)
    {
        using var mode = database.Prepare("PRAGMA journal_mode = DELETE");
        return mode.Step() && mode.Text(0) == "delete";
    }
}
