using System.Text.Json;

namespace DbSync.Postgres;

/// <summary>
/// The name of a node whose setup has begun, in <c>init.json</c> of its data directory: a setup that was killed goes on with the same
/// name, and so finds its own slot. <c>node.json</c> takes its place at the end.
/// </summary>
internal sealed record PendingNode(string Replica, string Node)
{
    public const string FileName = "init.json";

    public static PendingNode? TryLoad(string directory)
    {
        try
        {
            return JsonSerializer.Deserialize<PendingNode>(File.ReadAllBytes(Path.Combine(directory, FileName)), JsonSerializerOptions.Web);
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return null;
        }
    }

    public void Save(string directory) =>
        AtomicFile.Write(Path.Combine(directory, FileName), JsonSerializer.SerializeToUtf8Bytes(this, JsonSerializerOptions.Web));

    public static void Delete(string directory) => File.Delete(Path.Combine(directory, FileName));
}
