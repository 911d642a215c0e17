using System.Text.Json;

namespace DbSync;

/// <summary>
/// A request to copy again, in <c>resync.json</c> of the data directory: whoever may write there may ask, and the node that runs there takes
/// it. It needs no right on the primary.
/// </summary>
/// <param name="Id">Made up by the one who asks.</param>
/// <param name="Tables">The tables, as the replica names them; null for all of them, into new files.</param>
/// <param name="RequestedAt">When.</param>
/// <param name="Over">Whether the tables are emptied first, before any change is applied: what a table needs that has diverged.</param>
internal sealed record ResyncRequest(string Id, IReadOnlyList<string>? Tables, DateTimeOffset RequestedAt, bool Over = false)
{
    public const string FileName = "resync.json";

    /// <summary>The request that waits; null when there is none.</summary>
    public static ResyncRequest? TryLoad(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize<ResyncRequest>(File.ReadAllBytes(path), JsonSerializerOptions.Web) is { Id: not null } request ? request : null;
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return null; // somebody's own file, or gone meanwhile
        }
    }

    public void Save(string directory) =>
        AtomicFile.Write(Path.Combine(directory, FileName), JsonSerializer.SerializeToUtf8Bytes(this, JsonSerializerOptions.Web));

    public static void Delete(string directory) => File.Delete(Path.Combine(directory, FileName));
}
