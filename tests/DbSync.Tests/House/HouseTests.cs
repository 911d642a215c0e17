using System.Text.RegularExpressions;

namespace DbSync.Tests.House;

/// <summary>What <c>style.md</c> and the design say about the shape of the repository.</summary>
public sealed partial class HouseTests
{
    private const int LinesMax = 400;

    private static readonly string[] TopLevel =
    [
        "src", "tests", "migrations", "scripts", ".ci",
        "DbSync.sln", "README.md", "LICENSE", "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props", "global.json",
        "BannedSymbols.txt", ".editorconfig", ".gitignore", ".gitattributes",
    ];

    // Named in .gitignore: what git, tools and builds leave in a checkout.
    private static readonly string[] NotOurs = [".git", ".vs", ".idea", ".dbsync", "artifacts", "bin", "obj", "TestResults"];

    [Fact]
    public void The_top_level_holds_only_what_the_design_lists() =>
        Directory.GetFileSystemEntries(Repository.Root).Select(e => Path.GetFileName(e)!)
            .Except(TopLevel).Except(NotOurs).Where(e => !e.EndsWith(".user", StringComparison.Ordinal)).ShouldBeEmpty();

    [Fact]
    public void No_file_is_longer_than_two_screens_and_a_half() =>
        Repository.Sources("*.cs", "src", "tests").Concat(Repository.Sources("*.sql", "migrations"))
            .Where(f => File.ReadLines(f).Count() > LinesMax).Select(Repository.Relative).ShouldBeEmpty();

    [Fact]
    public void No_source_hides_lines_in_a_region()
    {
        var directive = "#" + "region";
        Repository.Sources("*.cs", "src", "tests").Where(f => File.ReadAllText(f).Contains(directive, StringComparison.Ordinal))
            .Select(Repository.Relative).ShouldBeEmpty();
    }

    [Fact]
    public void Every_failpoint_is_listed_once_and_hit_somewhere()
    {
        var names = typeof(Failpoint).GetFields().Where(f => f is { IsLiteral: true } && f.Name != nameof(Failpoint.EnvironmentVariable))
            .ToDictionary(f => (string)f.GetRawConstantValue()!, f => f.Name);
        Failpoint.All.Select(f => f.Name).ShouldBe(names.Keys, ignoreOrder: true);
        var hits = Repository.Sources("*.cs", "src").SelectMany(f => Hit().Matches(File.ReadAllText(f))).Select(m => m.Groups["name"].Value).ToHashSet();
        names.Values.Except(hits).ShouldBeEmpty();
    }

    [Fact]
    public void Test_names_read_as_sentences()
    {
        var odd = typeof(HouseTests).Assembly.GetTypes().SelectMany(t => t.GetMethods())
            .Where(m => m.GetCustomAttributes(typeof(FactAttribute), inherit: true).Length > 0 && !m.Name.Contains('_', StringComparison.Ordinal));
        odd.Select(m => $"{m.DeclaringType!.Name}.{m.Name}").ShouldBeEmpty();
    }

    [GeneratedRegex(@"Failpoint\.Hit\(Failpoint\.(?<name>\w+)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Hit();
}
