using System.CommandLine.Parsing;
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

    /// <summary>Reads a size as people write it: a number with B, kB, MB, GB or TB behind it, in powers of 1024 as PostgreSQL has them; null when it is none.</summary>
    public static long? ParseBytes(string text)
    {
        var digits = text.TakeWhile(c => char.IsAsciiDigit(c) || c == '.').Count();
        var unit = Array.FindIndex(Sizes, s => string.Equals(s, text[digits..].Trim(), StringComparison.OrdinalIgnoreCase));
        if (text[digits..].Trim().Length == 0) unit = 0;
        return unit >= 0 && double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            && value * Math.Pow(1024, unit) is < long.MaxValue and var bytes ? (long)bytes : null;
    }

    /// <summary>Refuses an option's value that is no size.</summary>
    public static void CheckBytes(OptionResult result)
    {
        foreach (var token in result.Tokens)
            if (ParseBytes(token.Value) is null) result.AddError($"'{token.Value}' is no size: write it like 512MB or 10GB.");
    }

    /// <summary>Reads a time as people write it: a number with ms, s, min, h or d behind it; null when it is none, or not above zero.</summary>
    public static TimeSpan? ParseDuration(string text)
    {
        var digits = text.TakeWhile(c => char.IsAsciiDigit(c) || c == '.').Count();
        if (!double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) || value is <= 0 or > 1_000_000) return null;
        return text[digits..].Trim() switch
        {
            "ms" => TimeSpan.FromMilliseconds(value),
            "s" => TimeSpan.FromSeconds(value),
            "min" => TimeSpan.FromMinutes(value),
            "h" => TimeSpan.FromHours(value),
            "d" => TimeSpan.FromDays(value),
            _ => null,
        };
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
