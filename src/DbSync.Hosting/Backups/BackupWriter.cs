using System.Security.Cryptography;
using DbSync.Sqlite;

namespace DbSync.Hosting;

/// <summary>Copies a node's shards, all at one position, while they are written or while nothing runs. It needs nothing of the primary.</summary>
/// <param name="directory">The node's data directory.</param>
/// <param name="time">The clock.</param>
internal sealed class BackupWriter(string directory, TimeProvider time)
{
    private const string PartialPrefix = ".partial-";
    private const int AttemptsMax = 500;
    private static readonly TimeSpan AttemptPause = TimeSpan.FromMilliseconds(10);

    /// <summary>Takes a backup into a directory of its own below <paramref name="root"/>.</summary>
    /// <param name="root">Where backups are; made when missing.</param>
    /// <param name="keep">How many stay there, this one included; null for all.</param>
    /// <param name="cancellationToken">Ends it, with nothing left behind.</param>
    /// <returns>The directory, its manifest, and the older ones that were deleted.</returns>
    /// <exception cref="DbSyncException">DBS8005 when the shards stand at different positions, DBS4001 when one is damaged.</exception>
    public async Task<(string Path, BackupManifest Manifest, IReadOnlyList<string> Removed)> WriteAsync(string root, int? keep, CancellationToken cancellationToken)
    {
        if (File.Exists(Path.Combine(root, NodeFile.FileName)))
            throw new DbSyncException(ErrorCodes.InvalidOption, "The directory is a node's data directory.", "Name another one for backups.");
        DataDirectory.Create(root);
        using var alone = DataDirectory.Lock(root);
        foreach (var left in Directory.EnumerateDirectories(root, PartialPrefix + "*")) Directory.Delete(left, recursive: true); // of one that was killed
        var partial = Path.Combine(root, $"{PartialPrefix}{Guid.NewGuid():n}");
        DataDirectory.Create(partial);
        try
        {
            var manifest = await CopyAsync(partial, cancellationToken);
            manifest.Save(partial);
            Failpoint.Hit(Failpoint.BeforeBackupNamed);
            var path = NameOf(root, manifest);
            Directory.Move(partial, path);
            return (path, manifest, keep is { } count ? Prune(root, count) : []);
        }
        catch
        {
            Directory.Delete(partial, recursive: true);
            throw;
        }
    }

    /// <summary>The backups below a directory, the newest first.</summary>
    public static IReadOnlyList<string> Find(string root) =>
        [.. Directory.EnumerateDirectories(root).Where(d => !Path.GetFileName(d).StartsWith('.') && File.Exists(Path.Combine(d, BackupManifest.FileName))).OrderDescending(StringComparer.Ordinal)];

    /// <summary>The digest of a file's bytes.</summary>
    public static async Task<string> DigestAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
    }

    private async Task<BackupManifest> CopyAsync(string target, CancellationToken cancellationToken)
    {
        var node = NodeFile.Load(directory);
        var takenAt = time.GetUtcNow();
        var shards = new List<ShardView>();
        try
        {
            foreach (var shard in node.Shards) shards.Add(new ShardView(directory, shard));
            var position = await StandAsync(shards, cancellationToken);
            var copies = new List<BackupManifest.ShardCopy>();
            foreach (var shard in shards)
            {
                var path = Path.Combine(target, NodeFile.FileNameOf(shard.Id, 1));
                await Task.Run(() => shard.CopyTo(path, cancellationToken), cancellationToken);
                await Task.Run(() => Check(path), cancellationToken);
                copies.Add(new BackupManifest.ShardCopy(shard.Id, Path.GetFileName(path), new FileInfo(path).Length, await DigestAsync(path, cancellationToken)));
            }
            var layout = shards[0].Layout();
            var tables = shards.SelectMany(s => s.Progress()).GroupBy(t => t.Name, StringComparer.Ordinal)
                .ToDictionary(t => t.Key, t => layout?.Keys.ContainsKey(t.Key) == true ? t.Sum(s => s.Rows) : t.Max(s => s.Rows), StringComparer.Ordinal);
            return new BackupManifest(BackupManifest.FormatNow, node, position.ToString(), takenAt, layout?.Version, copies, tables);
        }
        finally
        {
            foreach (var shard in shards) shard.Dispose();
        }
    }

    /// <summary>Opens a snapshot of each shard, all at one position: equal positions are equal contents.</summary>
    private async Task<Lsn> StandAsync(List<ShardView> shards, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            var positions = shards.ConvertAll(s => s.BeginSnapshot());
            if (positions.TrueForAll(p => p == positions[0])) return positions[0];
            foreach (var shard in shards) shard.EndSnapshot();
            await Task.Delay(AttemptPause, time, cancellationToken);
        }
        throw new DbSyncException(ErrorCodes.ShardsApart, "The shards stand at different positions.", "After a crash they agree once 'dbsync run' has run.");
    }

    /// <summary>A file that is not sound is no backup; and it has to be on the disk before its name says that it is one.</summary>
    private static void Check(string path)
    {
        ClosedFile.CheckSound(path);
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Flush(flushToDisk: true);
    }

    private static string NameOf(string root, BackupManifest manifest)
    {
        var name = $"{manifest.TakenAt.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{manifest.Lsn.Replace('/', '-')}";
        for (var i = 1; ; i++)
        {
            var path = Path.Combine(root, i == 1 ? name : $"{name}.{i}");
            if (!Directory.Exists(path)) return path;
        }
    }

    private static List<string> Prune(string root, int keep)
    {
        List<string> old = [.. Find(root).Skip(keep)];
        foreach (var path in old)
        {
            File.Delete(Path.Combine(path, BackupManifest.FileName)); // first: what is half deleted must be no backup
            Directory.Delete(path, recursive: true);
        }
        return old;
    }
}
