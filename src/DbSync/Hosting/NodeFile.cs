using System.Text.Json;
using System.Text.Json.Serialization;

namespace DbSync;

/// <summary>
/// A node's identity, in <c>node.json</c> of its data directory: it lives with the data, not in a host name, so that a redeployed node is the
/// same node. Replaced atomically; shard files are never renamed over each other, a new generation gets a new name.
/// </summary>
/// <param name="Replica">The replica this node belongs to.</param>
/// <param name="Node">The node's own name, made up once.</param>
/// <param name="Slot">Its replication slot on the primary.</param>
/// <param name="Publication">The publication it follows.</param>
/// <param name="SystemIdentifier">The primary's cluster (<c>pg_control_system</c>), so that another one is not taken for it.</param>
/// <param name="Database">The primary's database.</param>
/// <param name="Shards">The shards that live here.</param>
/// <param name="StartLsn">The position at which the slot was made: where a shard that has nothing yet begins.</param>
internal sealed record NodeFile(
    string Replica,
    string Node,
    string Slot,
    string Publication,
    string SystemIdentifier,
    string Database,
    IReadOnlyList<NodeFile.Shard> Shards,
    string? StartLsn = null)
{
    public const string FileName = "node.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>The primary's timeline that the shards' positions belong to; null until a stream has told.</summary>
    public uint? Timeline { get; init; }

    /// <summary>Since when the files are no longer kept up to date, because the replica is copied again into others; null when they are.</summary>
    public DateTimeOffset? StaleSince { get; init; }

    /// <summary>When the files were put here from a backup; null once they are kept up to date again.</summary>
    public DateTimeOffset? RestoredAt { get; init; }

    /// <summary>Where shards go on that stand before it, although the log between is gone: their rows are compared then. Null for none.</summary>
    public string? MendLsn { get; init; }

    /// <summary>Shards that were here once, and whose files may still be: somebody may have them open.</summary>
    public IReadOnlyList<string>? Left { get; init; }

    /// <summary>A shard and the file that holds it now.</summary>
    internal sealed record Shard(string Id, string File);

    /// <summary>Reads the identity; null when the directory has none.</summary>
    /// <exception cref="DbSyncException">DBS1004 when the file is not what this version writes.</exception>
    public static NodeFile? TryLoad(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            var node = JsonSerializer.Deserialize<NodeFile>(File.ReadAllBytes(path), Json);
            if (node is { Replica: not null, Node: not null, Slot: not null, Shards.Count: > 0 } && node.Shards.All(s => IsSafe(s.File))) return node;
        }
        catch (JsonException)
        {
            // Said below, with the way out.
        }
        throw new DbSyncException(
            ErrorCodes.IdentityMismatch,
            $"{FileName} in the data directory does not name a node.",
            "Restore it from a backup, or empty the directory and run 'dbsync init' again.");
    }

    /// <exception cref="DbSyncException">DBS1002 when 'dbsync init' has not run for this directory.</exception>
    public static NodeFile Load(string directory) => TryLoad(directory) ?? throw new DbSyncException(
        ErrorCodes.NotInitialised, "The data directory holds no node.", "Run 'dbsync init' with the same --data first.");

    /// <summary>Reads the identity, and checks whose it is.</summary>
    /// <param name="directory">The data directory.</param>
    /// <param name="replica">The replica that it must belong to; null for any.</param>
    /// <param name="node">The node that it must belong to; null for any.</param>
    /// <exception cref="DbSyncException">DBS1002 not set up, DBS1004 another replica's or node's directory.</exception>
    public static NodeFile Load(string directory, string? replica, string? node)
    {
        var identity = Load(directory);
        return (replica ?? identity.Replica) == identity.Replica && (node ?? identity.Node) == identity.Node
            ? identity
            : throw new DbSyncException(
                ErrorCodes.IdentityMismatch, $"The data directory belongs to node '{identity.Node}' of replica '{identity.Replica}'.",
                "Name neither replica nor node, or use another data directory.");
    }

    /// <summary>Writes the identity so that a crash leaves the old file or the new one, never half of one.</summary>
    public void Save(string directory) => AtomicFile.Write(Path.Combine(directory, FileName), JsonSerializer.SerializeToUtf8Bytes(this, Json));

    /// <summary>Where a shard that has nothing yet begins.</summary>
    [JsonIgnore]
    public Lsn StartPosition => Lsn.TryParse(StartLsn, out var start) ? start : Lsn.Zero;

    /// <summary>The name of a shard's file in its <paramref name="generation"/>-th life.</summary>
    public static string FileNameOf(string shard, int generation) => $"{shard}.{generation}.db";

    /// <summary>Which life of its shard a file is; 0 when its name doesn't say.</summary>
    public static int GenerationOf(string file) =>
        file.Split('.') is [.., var number, "db"] && int.TryParse(number, out var generation) ? generation : 0;

    /// <summary>Whether a name stays in its directory: letters, digits, dots, dashes and underscores, and no dot first.</summary>
    public static bool IsSafe(string? file) =>
        !string.IsNullOrEmpty(file) && file.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_') && file[0] != '.';
}
