using System.Security.Cryptography;
using DbSync.Sqlite;

namespace DbSync.Hosting;

/// <summary>
/// Puts a backup in place: checks it, copies its files beside what is there under names that were never used, and then replaces
/// <c>node.json</c>, in one step. A crash leaves the old replica or the new one.
/// </summary>
/// <param name="directory">The data directory.</param>
/// <param name="time">The clock.</param>
internal sealed class Restorer(string directory, TimeProvider time)
{
    /// <summary>The backup that a path names: itself, or the newest below it.</summary>
    /// <exception cref="DbSyncException">DBS4060 when there is none.</exception>
    public static string Resolve(string path)
    {
        if (File.Exists(Path.Combine(path, BackupManifest.FileName))) return path;
        if (Directory.Exists(path) && BackupWriter.Find(path) is [var newest, ..]) return newest;
        throw BackupManifest.Damaged("The directory holds no backup.");
    }

    /// <param name="backup">The backup's directory.</param>
    /// <param name="identity">The node that the files are for, as <c>node.json</c> will say; its shards are those of the backup.</param>
    /// <param name="replaces">Whether files that are newer than the backup may be replaced.</param>
    /// <param name="cancellationToken">Ends it, with what was there unchanged.</param>
    /// <exception cref="DbSyncException">DBS4060 the backup is damaged, DBS1003 a node runs here, DBS1004 the directory is another node's, DBS4061 it
    /// holds newer files.</exception>
    public async Task<NodeFile> RestoreAsync(string backup, Func<BackupManifest, NodeFile> identity, bool replaces, CancellationToken cancellationToken)
    {
        var manifest = BackupManifest.Load(backup);
        DataDirectory.Create(directory);
        using var alone = DataDirectory.Lock(directory);
        var node = identity(manifest);
        Check(manifest, node, replaces);
        var generation = GenerationFor(manifest);
        var shards = new List<NodeFile.Shard>();
        foreach (var copy in manifest.Shards)
        {
            var name = NodeFile.FileNameOf(copy.Id, generation);
            await CopyAsync(Path.Combine(backup, copy.File), copy, Path.Combine(directory, name), cancellationToken);
            if (node.Node != manifest.Node.Node) ClosedFile.GiveTo(Path.Combine(directory, name), node.Node);
            shards.Add(new NodeFile.Shard(copy.Id, name));
        }
        node = node with { Shards = shards, RestoredAt = time.GetUtcNow(), StaleSince = null };
        Failpoint.Hit(Failpoint.BeforeRestoreNamed);
        new ReseedFile([], generation, null).Save(directory);
        foreach (var file in new[] { LiveStatus.FileName, ResyncRequest.FileName, RepairRequest.FileName, RepairAnswer.FileName, ProofFile.FileName })
            File.Delete(Path.Combine(directory, file));
        node.Save(directory);
        return node;
    }

    private void Check(BackupManifest manifest, NodeFile node, bool replaces)
    {
        if (NodeFile.TryLoad(directory) is not { } here) return;
        if ((here.Replica, here.Node) != (node.Replica, node.Node))
            throw new DbSyncException(ErrorCodes.IdentityMismatch, $"The data directory belongs to node '{here.Node}' of replica '{here.Replica}'.", "Restore into another directory.");
        if (replaces) return;
        var position = here.Shards.Select(PositionOf).Aggregate(Lsn.Zero, Lsn.Max);
        if (position > Lsn.Parse(manifest.Lsn))
            throw new DbSyncException(
                ErrorCodes.BackupOlder, $"The data directory holds files at position {position}, and the backup is of {manifest.Lsn}.",
                "Start 'dbsync run' to use what is there, or add --replace to put the backup in its place.");
    }

    private Lsn PositionOf(NodeFile.Shard shard)
    {
        if (!File.Exists(Path.Combine(directory, shard.File))) return Lsn.Zero;
        try
        {
            using var view = new ShardView(directory, shard);
            return view.Position;
        }
        catch (DbSyncException)
        {
            return Lsn.Zero; // damaged: that is why it is restored
        }
    }

    /// <summary>A number that no shard file has had here.</summary>
    private int GenerationFor(BackupManifest manifest)
    {
        var files = manifest.Shards.SelectMany(s => Directory.EnumerateFiles(directory, $"{s.Id}.*.db*")).Select(f => Path.GetFileName(f)!.Replace(".tmp", "", StringComparison.Ordinal));
        var known = NodeFile.TryLoad(directory)?.Shards.Select(s => NodeFile.GenerationOf(s.File)) ?? [];
        var last = File.Exists(Path.Combine(directory, ReseedFile.FileName)) ? ReseedFile.Load(directory).Generation : 0;
        return 1 + files.Select(NodeFile.GenerationOf).Concat(known).Append(last).Max();
    }

    /// <summary>Copies a file and checks its digest on the way; it has its name only when it is whole and on the disk.</summary>
    private static async Task CopyAsync(string source, BackupManifest.ShardCopy copy, string target, CancellationToken cancellationToken)
    {
        const int BufferBytes = 1 << 20;
        if (!File.Exists(source)) throw BackupManifest.Damaged($"The file of shard '{copy.Id}' is missing.");
        var temporary = target + ".tmp";
        try
        {
            ShardFile.CreatePrivate(temporary);
            using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await using (var from = File.OpenRead(source))
            await using (var to = new FileStream(temporary, FileMode.Open, FileAccess.Write))
            {
                var buffer = new byte[BufferBytes];
                for (int read; (read = await from.ReadAsync(buffer, cancellationToken)) > 0;)
                {
                    digest.AppendData(buffer, 0, read);
                    await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                }
                to.Flush(flushToDisk: true);
            }
            if (Convert.ToHexStringLower(digest.GetHashAndReset()) != copy.Sha256) throw BackupManifest.Damaged($"The file of shard '{copy.Id}' is not what was backed up.");
            File.Move(temporary, target);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
