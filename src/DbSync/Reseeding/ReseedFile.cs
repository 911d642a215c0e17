using System.Text.Json;
using System.Text.Json.Serialization;

namespace DbSync;

/// <summary>
/// What a node remembers of copying its replica again, in <c>reseed.json</c> of its data directory: the copy under way, and the tries
/// before, so that no chain of crashes tries for ever.
/// </summary>
/// <param name="Tries">When a copy was begun, and why; those that no longer count are dropped.</param>
/// <param name="Generation">The highest number that a shard file has had: names are never used again.</param>
/// <param name="Current">The copy under way; null when there is none.</param>
/// <param name="LastRequest">The request that was fulfilled last.</param>
internal sealed record ReseedFile(IReadOnlyList<ReseedFile.Try> Tries, int Generation, ReseedFile.Plan? Current, string? LastRequest = null)
{
    public const string FileName = "reseed.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>A copy that was begun.</summary>
    internal sealed record Try(ReseedCause Cause, DateTimeOffset At);

    /// <summary>A copy under way.</summary>
    /// <param name="Cause">Why it was begun.</param>
    /// <param name="Reason">The same for people.</param>
    /// <param name="Code">The error's code; null when a person asked for it.</param>
    /// <param name="Since">When it was begun.</param>
    /// <param name="Shards">The files that it fills.</param>
    /// <param name="Starts">How often it was taken up since it last got on.</param>
    /// <param name="StartLsn">Where its slot begins; null until the slot is made.</param>
    internal sealed record Plan(
        ReseedCause Cause, string Reason, string? Code, DateTimeOffset Since, IReadOnlyList<NodeFile.Shard> Shards, int Starts, string? StartLsn)
    {
        /// <summary>The primary that the slot is on; null until it is made.</summary>
        public string? SystemIdentifier { get; init; }

        public uint? Timeline { get; init; }

        /// <summary>The request that it fulfils; null when nobody asked.</summary>
        public string? Request { get; init; }

        /// <summary>The node over the new files.</summary>
        public NodeFile Over(NodeFile node) => node with
        {
            Shards = Shards, StartLsn = StartLsn, SystemIdentifier = SystemIdentifier ?? node.SystemIdentifier, Timeline = Timeline, StaleSince = null, RestoredAt = null, MendLsn = null,
        };
    }

    /// <exception cref="DbSyncException">DBS1004 when the file is not what this version writes.</exception>
    public static ReseedFile Load(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) return new ReseedFile([], 0, null);
        try
        {
            return JsonSerializer.Deserialize<ReseedFile>(File.ReadAllBytes(path), Json) is { Tries: not null } file ? file : throw new JsonException();
        }
        catch (JsonException)
        {
            throw new DbSyncException(
                ErrorCodes.IdentityMismatch, $"{FileName} in the data directory can't be read.", $"Delete {FileName}: the node then goes on with the files of {NodeFile.FileName}.");
        }
    }

    public void Save(string directory) => AtomicFile.Write(Path.Combine(directory, FileName), JsonSerializer.SerializeToUtf8Bytes(this, Json));

    /// <summary>How many tries for a cause count now.</summary>
    public int TriesOf(ReseedCause cause, DateTimeOffset since) => Tries.Count(t => t.Cause == cause && t.At >= since);
}
