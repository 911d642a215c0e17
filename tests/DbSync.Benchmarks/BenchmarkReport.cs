using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace DbSync.Benchmarks;

/// <summary>One measured figure.</summary>
/// <param name="Name">What was measured, with its size.</param>
/// <param name="Value">The measured value.</param>
/// <param name="Unit">Its unit.</param>
/// <param name="Against">The peer or floor that was measured beside it, or null.</param>
/// <param name="Ratio">The value divided by that of <paramref name="Against"/>, or null.</param>
/// <param name="Goal">What it should be, or null for a figure that is only shown.</param>
/// <param name="Met">Whether it is, or null.</param>
internal sealed record Figure(
    string Name,
    double Value,
    string Unit,
    string? Against = null,
    double? Ratio = null,
    string? Goal = null,
    bool? Met = null)
{
    /// <summary>A figure that should be at most <paramref name="most"/>.</summary>
    public static Figure AtMost(string name, double value, string unit, double most) =>
        new(name, value, unit, null, null, $"<= {most:0.####}", value <= most);

    /// <summary>A figure beside what another gave in the same run.</summary>
    public Figure Beside(string against, double other) => this with { Against = against, Ratio = Value / other };
}

/// <summary>The figures of one benchmark, for people as a table and for machines as JSON.</summary>
internal sealed class BenchmarkReport(string name, DateTimeOffset date, IReadOnlyDictionary<string, string> versions)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly List<Figure> _figures = [];

    /// <summary>What was measured on: processors and systems, never a name.</summary>
    public static string Machine =>
        $"{Environment.ProcessorCount} x {RuntimeInformation.ProcessArchitecture}, {RuntimeInformation.OSDescription}";

    public IReadOnlyList<Figure> Figures => _figures;

    public void Add(Figure figure) => _figures.Add(figure);

    public void Print(TextWriter to)
    {
        var width = _figures.Max(figure => figure.Name.Length);
        to.WriteLine($"{name} on {Machine}, {string.Join(", ", versions.Select(pair => $"{pair.Key} {pair.Value}"))}");
        foreach (var figure in _figures)
        {
            var ratio = figure.Ratio is { } value ? $"{value,8:0.000} x {figure.Against}" : "";
            var goal = figure.Goal is null ? "" : $"  goal {figure.Goal}: {(figure.Met == true ? "met" : "NOT MET")}";
            to.WriteLine($"{figure.Name.PadRight(width)}  {figure.Value,12:#,0.000} {figure.Unit,-12}{ratio}{goal}".TrimEnd());
        }

        var missed = _figures.Count(figure => figure.Met == false);
        to.WriteLine($"{_figures.Count(figure => figure.Met == true)} goals met, {missed} not met");
    }

    /// <summary>Writes everything; with <paramref name="merge"/>, figures of other names that the file has already stay.</summary>
    public async Task WriteJsonAsync(string path, bool merge, CancellationToken cancellationToken)
    {
        List<Figure> figures = [];
        if (merge && File.Exists(path))
        {
            await using var before = File.OpenRead(path);
            figures = (await JsonSerializer.DeserializeAsync<Content>(before, Json, cancellationToken))!.Figures;
        }
        foreach (var figure in _figures)
        {
            var known = figures.FindIndex(f => f.Name == figure.Name);
            if (known < 0) figures.Add(figure);
            else figures[known] = figure;
        }
        await using var file = File.Create(path);
        await JsonSerializer.SerializeAsync(file, new Content(name, date, Machine, versions, figures), Json, cancellationToken);
    }

    private sealed record Content(string Name, DateTimeOffset Date, string Machine, IReadOnlyDictionary<string, string> Versions, List<Figure> Figures);
}
