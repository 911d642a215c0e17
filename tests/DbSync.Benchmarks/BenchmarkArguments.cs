using System.Globalization;

namespace DbSync.Benchmarks;

/// <summary>The command line: <c>NAME [--json FILE] [--scale S] [--rounds N] [--only PART,PART]</c>.</summary>
internal sealed record BenchmarkArguments(string Name, string? JsonPath, double Scale, int Rounds, IReadOnlyCollection<string> Only)
{
    /// <summary>Reads the command line; null when it can't be understood.</summary>
    public static BenchmarkArguments? TryParse(IReadOnlyList<string> arguments)
    {
        if (arguments.Count % 2 == 0) return null;
        var parsed = new BenchmarkArguments(arguments[0], null, 1, 5, []);
        for (var i = 1; i < arguments.Count; i += 2)
        {
            var value = arguments[i + 1];
            switch (arguments[i])
            {
                case "--json":
                    parsed = parsed with { JsonPath = value };
                    break;
                case "--scale" when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var scale) && scale is > 0 and <= 100:
                    parsed = parsed with { Scale = scale };
                    break;
                case "--rounds" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var rounds) && rounds is > 0 and <= 100:
                    parsed = parsed with { Rounds = rounds };
                    break;
                case "--only":
                    parsed = parsed with { Only = value.Split(',') };
                    break;
                default:
                    return null;
            }
        }
        return parsed;
    }
}
