using System.Security.Cryptography;
using System.Text.Json;

namespace DbSync.Hosting;

/// <summary>What a backup holds, in <c>manifest.json</c> beside its files. It is written last: a directory without one is no backup.</summary>
/// <param name="Format">The version of this form.</param>
/// <param name="Node">The node that it was taken from, with the primary that it follows.</param>
/// <param name="Lsn">The position of every shard.</param>
/// <param name="TakenAt">When it was begun.</param>
/// <param name="ShardMapVersion">The shard map that holds at the position; null when the replica is not sharded.</param>
/// <param name="Shards">The files.</param>
/// <param name="Tables">The rows of each table.</param>
internal sealed record BackupManifest(
    int Format, NodeFile Node, string Lsn, DateTimeOffset TakenAt, long? ShardMapVersion, IReadOnlyList<BackupManifest.ShardCopy> Shards,
    IReadOnlyDictionary<string, long> Tables)
{
    public const string FileName = "manifest.json";
    public const int FormatNow = 1;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>A shard's file: its size and its digest.</summary>
    internal sealed record ShardCopy(string Id, string File, long Bytes, string Sha256);

    /// <summary>The digest of all the rest, so that a manifest that was changed is none.</summary>
    public string? Sha256 { get; init; }

    public void Save(string directory) => AtomicFile.Write(Path.Combine(directory, FileName), JsonSerializer.SerializeToUtf8Bytes(this with { Sha256 = DigestOf(this) }, Json));

    /// <summary>Reads it.</summary>
    /// <exception cref="DbSyncException">DBS4060 when it is not there, not whole, or of a newer version.</exception>
    public static BackupManifest Load(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) throw Damaged($"'{Path.GetFileName(directory)}' holds no {FileName}: no backup was finished there.");
        try
        {
            if (JsonSerializer.Deserialize<BackupManifest>(File.ReadAllBytes(path), Json) is { Format: <= FormatNow, Node: not null, Shards.Count: > 0, Tables: not null } read
                && read.Sha256 == DigestOf(read) && read.Shards.All(s => NodeFile.IsSafe(s.File) && NodeFile.IsSafe(s.Id)) && DbSync.Lsn.TryParse(read.Lsn, out _)) return read;
        }
        catch (JsonException)
        {
            // Said below.
        }
        throw Damaged($"{FileName} is damaged, or was written by a newer version.");
    }

    public static DbSyncException Damaged(string what) => new(ErrorCodes.BackupDamaged, what, "Use another backup: nothing was put in place.");

    private static string DigestOf(BackupManifest manifest) =>
        Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(manifest with { Sha256 = null }, Json)));
}
