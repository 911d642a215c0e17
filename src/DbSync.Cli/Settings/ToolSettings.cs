using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using DbSync.Hosting;
using DbSync.Postgres;

namespace DbSync.Cli;

/// <summary>
/// What a command works on. Each setting comes from its flag, else from its environment variable, else from <c>dbsync.json</c> in the
/// working directory, else from its default.
/// </summary>
internal sealed class ToolSettings
{
    public const string FileName = "dbsync.json";
    private const string DefaultData = "dbsync-data";

    private readonly Func<string, string?> _environment;
    private readonly IReadOnlyDictionary<string, string> _file;
    private readonly ParseResult _flags;

    /// <exception cref="DbSyncException">DBS1001 when <c>dbsync.json</c> can't be read.</exception>
    public ToolSettings(ParseResult flags, Func<string, string?> environment, string directory)
    {
        (_flags, _environment) = (flags, environment);
        _file = Load(Path.Combine(directory, FileName));
    }

    public bool Json => _flags.GetValue(GlobalOptions.Json);

    /// <summary>The primary's connection string.</summary>
    /// <exception cref="DbSyncException">DBS1001 when it is nowhere.</exception>
    public string Primary => TryPrimary ?? throw new DbSyncException(
        ErrorCodes.InvalidOption, "No primary is named.", $"Give --primary, set DBSYNC_PRIMARY, or write \"primary\" into {FileName}.");

    public string? TryPrimary => Find(GlobalOptions.Primary, "DBSYNC_PRIMARY", "primary");

    public string Data => Path.GetFullPath(Find(GlobalOptions.Data, "DBSYNC_DATA", "data") ?? DefaultData);

    /// <summary>Where the node is that a command runs.</summary>
    /// <exception cref="DbSyncException">DBS1001 when no primary is named.</exception>
    public NodePlace Place => new(Primary, Data, TryReplica, Node, SpillBytesMax);

    public string? Redis => Find(GlobalOptions.Redis, "DBSYNC_REDIS", "redis");

    public string Replica => TryReplica ?? ReplicaNames.DefaultReplica;

    public string? TryReplica => Find(GlobalOptions.Replica, "DBSYNC_REPLICA", "replica");

    public string? Node => Find(GlobalOptions.Node, "DBSYNC_NODE", "node");

    /// <summary>How much of transactions in progress the data directory may hold, in bytes; null for the default.</summary>
    /// <exception cref="DbSyncException">DBS1001 when it is no number of bytes.</exception>
    public long? SpillBytesMax => Find(RunOptions.SpillBytesMax, "DBSYNC_SPILL_BYTES_MAX", "spillBytesMax") switch
    {
        null => null,
        var text when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) => bytes,
        _ => throw new DbSyncException(ErrorCodes.InvalidOption, "spillBytesMax is no number of bytes.", "Give a whole number, for example 68719476736 for 64 GiB."),
    };

    /// <summary>The data directory's identity, checked against what was asked for.</summary>
    /// <exception cref="DbSyncException">DBS1002 not set up, DBS1004 another replica's or node's directory.</exception>
    public NodeFile LoadIdentity() => NodeFile.Load(Data, TryReplica, Node);

    private string? Find(Option<string?> flag, string variable, string key)
    {
        if (_flags.GetValue(flag) is { Length: > 0 } given) return given;
        if (_environment(variable) is { Length: > 0 } set) return set;
        return _file.GetValueOrDefault(key);
    }

    private static IReadOnlyDictionary<string, string> Load(string path)
    {
        if (!File.Exists(path)) return new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllBytes(path), JsonSerializerOptions.Web)!;
        }
        catch (JsonException)
        {
            throw new DbSyncException(
                ErrorCodes.InvalidOption, $"{FileName} in the working directory can't be read.",
                "It is one JSON object of texts: primary, data, redis, replica, node, spillBytesMax.");
        }
    }
}
