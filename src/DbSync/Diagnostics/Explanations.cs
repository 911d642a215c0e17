using System.Reflection;

namespace DbSync;

/// <summary>The long form of every code, state and metric: pages of text in <c>Diagnostics/Explanations</c>, carried in the assembly.</summary>
internal static class Explanations
{
    private const string Prefix = "explanations/";
    private const string Suffix = ".md";

    /// <summary>Pages whose sections are topics of their own.</summary>
    private static readonly string[] Collections = ["state", "metric"];

    /// <summary>The pages, by topic: codes, and <c>state</c> and <c>metric</c>.</summary>
    public static IReadOnlyList<string> Topics { get; } =
        [.. typeof(Explanations).Assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(n => n[Prefix.Length..^Suffix.Length])
            .Order(StringComparer.Ordinal)];

    /// <summary>The page of a code, or the section of a state or metric; null when there is none. Case does not matter.</summary>
    public static string? Find(string topic)
    {
        if (Topics.FirstOrDefault(t => string.Equals(t, topic, StringComparison.OrdinalIgnoreCase)) is { } page) return Read(page);
        return Collections.Select(c => Section(Read(c), topic)).FirstOrDefault(s => s is not null);
    }

    /// <summary>The short title of a page.</summary>
    public static string TitleOf(string topic)
    {
        var first = Read(topic).Split('\n')[0];
        return first[(first.IndexOf(": ", StringComparison.Ordinal) + 2)..];
    }

    private static string? Section(string page, string topic)
    {
        var sections = page.Split("\n## ");
        var found = sections.Skip(1).FirstOrDefault(s => string.Equals(s.Split('\n')[0], topic, StringComparison.OrdinalIgnoreCase));
        return found is null ? null : $"# {found.TrimEnd()}\n";
    }

    private static string Read(string topic)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream($"{Prefix}{topic}{Suffix}")!);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
