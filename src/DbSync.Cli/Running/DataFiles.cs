using DbSync.Postgres;

namespace DbSync.Cli.Running;

/// <summary>The files that DbSync keeps in a data directory.</summary>
internal static class DataFiles
{
    /// <summary>Deletes them, and the directory when nothing else is in it. What DbSync did not make stays.</summary>
    public static void Delete(string directory)
    {
        var shards = NodeFile.TryLoad(directory)?.Shards ?? [];
        var generations = shards.SelectMany(s => Directory.EnumerateFiles(directory, $"{s.Id}.*.db")).Select(f => Path.GetFileName(f)!).Where(f => NodeFile.GenerationOf(f) > 0);
        var names = generations.Concat(shards.Select(s => s.File)).SelectMany(f => new[] { f, f + "-wal", f + "-shm" })
            .Concat([NodeFile.FileName, LiveStatus.FileName, ReseedFile.FileName, ResyncRequest.FileName, RepairRequest.FileName, RepairAnswer.FileName, ProofFile.FileName, PendingNode.FileName, DataDirectory.LockFileName]);
        foreach (var name in names) File.Delete(Path.Combine(directory, name));
        foreach (var damaged in shards.SelectMany(s => Directory.EnumerateFiles(directory, $"{s.Id}.*.damaged"))) File.Delete(damaged);
        var spill = Path.Combine(directory, SpillDirectory.FolderName);
        if (Directory.Exists(spill)) Directory.Delete(spill, recursive: true);
        if (!Directory.EnumerateFileSystemEntries(directory).Any()) Directory.Delete(directory);
    }
}
