using System.Globalization;

namespace DbSync.Cli;

/// <summary>Figures as people read them.</summary>
internal static class Units
{
    private static readonly string[] Sizes = ["B", "kB", "MB", "GB", "TB", "PB"];

    public static string Bytes(long? bytes)
    {
        if (bytes is not { } value) return "-";
        var (size, unit) = ((double)value, 0);
        while (Math.Abs(size) >= 1024 && unit < Sizes.Length - 1) (size, unit) = (size / 1024, unit + 1);
        return string.Create(CultureInfo.InvariantCulture, $"{size:0.#} {Sizes[unit]}");
    }

    public static string Duration(double? ms) => ms switch
    {
        null => "-",
        < 10 => string.Create(CultureInfo.InvariantCulture, $"{ms:0.0} ms"),
        < 10_000 => string.Create(CultureInfo.InvariantCulture, $"{ms:0} ms"),
        < 600_000 => string.Create(CultureInfo.InvariantCulture, $"{ms / 1000:0} s"),
        < 36_000_000 => string.Create(CultureInfo.InvariantCulture, $"{ms / 60_000:0} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{ms / 3_600_000:0} h"),
    };

    public static string Count(long? count) => count is { } value ? value.ToString("N0", CultureInfo.InvariantCulture) : "-";
}
