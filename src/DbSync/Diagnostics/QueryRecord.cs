using System.Text.Json;

namespace DbSync;

/// <summary>
/// A query shape that an application ran, and where it goes: one line of JSON in the file that <c>DBSYNC_QUERIES</c> names, written by the EF Core plug-in
/// and read by <c>dbsync queries</c>. No values: constants and parameters are left out.
/// </summary>
/// <param name="Shape">The query, in EF Core's notation.</param>
/// <param name="Routed">Whether a replica can answer it.</param>
/// <param name="Reason">Why it goes where it goes.</param>
/// <param name="Detail">What exactly, for people.</param>
internal sealed record QueryRecord(string Shape, bool Routed, string Reason, string Detail)
{
    public const string EnvironmentVariable = "DBSYNC_QUERIES";

    public static void Append(string path, QueryRecord record)
    {
        using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        file.Write([.. JsonSerializer.SerializeToUtf8Bytes(record, JsonSerializerOptions.Web), (byte)'\n']); // one write: processes may share the file
    }

    /// <summary>Reads a file, each shape once, as it was seen last.</summary>
    /// <exception cref="DbSyncException">DBS1001 when it can't be read.</exception>
    public static IReadOnlyList<QueryRecord> Load(string path)
    {
        try
        {
            return [.. File.ReadLines(path).Where(l => l.Length > 0).Select(l => JsonSerializer.Deserialize<QueryRecord>(l, JsonSerializerOptions.Web)!).GroupBy(r => r.Shape, StringComparer.Ordinal).Select(g => g.Last())];
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new DbSyncException(
                ErrorCodes.InvalidOption, "The file of recorded queries can't be read.",
                $"Run the application's tests with {EnvironmentVariable}=FILE, then 'dbsync queries FILE'.", exception);
        }
    }
}
