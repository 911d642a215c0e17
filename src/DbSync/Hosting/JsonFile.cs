using System.Text.Json;

namespace DbSync;

/// <summary>Small files of a data directory that one process writes for another.</summary>
internal static class JsonFile
{
    /// <summary>Reads a file; null when there is none, or when it is somebody's own.</summary>
    public static T? TryLoad<T>(string directory, string name)
        where T : class
    {
        try
        {
            var path = Path.Combine(directory, name);
            return File.Exists(path) ? JsonSerializer.Deserialize<T>(File.ReadAllBytes(path), JsonSerializerOptions.Web) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    public static void Save<T>(string directory, string name, T value) =>
        AtomicFile.Write(Path.Combine(directory, name), JsonSerializer.SerializeToUtf8Bytes(value, JsonSerializerOptions.Web));
}
