using System.Xml.Linq;

namespace DbSync.Tests.House;

/// <summary>The house is a star: the centre knows no driver, and the drivers don't know each other.</summary>
public sealed class DependencyTests
{
    private static readonly string[] Drivers = ["Npgsql", "SQLite", "Sqlite", "Redis", "EntityFrameworkCore", "dbup"];

    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["DbSync"] = [],
        ["DbSync.Postgres"] = ["DbSync"],
        ["DbSync.Sqlite"] = ["DbSync"],
        ["DbSync.Redis"] = ["DbSync"],
        ["DbSync.EntityFrameworkCore"] = ["DbSync", "DbSync.Sqlite"],
        ["DbSync.AspNetCore"] = ["DbSync", "DbSync.EntityFrameworkCore"],
        ["DbSync.Hosting"] = ["DbSync", "DbSync.Postgres", "DbSync.Sqlite"],
        ["DbSync.Cli"] = ["DbSync", "DbSync.Postgres", "DbSync.Sqlite", "DbSync.Redis", "DbSync.EntityFrameworkCore", "DbSync.Hosting"],
    };

    public static TheoryData<string> Projects => [.. Repository.Projects("src").Where(p => !Repository.Relative(p).StartsWith("src/samples/", StringComparison.Ordinal)).Select(Repository.Relative)];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_references_only_what_the_star_allows(string project)
    {
        var name = Path.GetFileNameWithoutExtension(project);
        Allowed.ShouldContainKey(name, "a new room needs a place in the design");
        References(project, "ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Replace('\\', '/')))
            .Except(Allowed[name]).ShouldBeEmpty();
    }

    [Fact]
    public void The_centre_knows_no_driver()
    {
        References("src/DbSync/DbSync.csproj", "PackageReference").Where(NamesDriver).ShouldBeEmpty();
        typeof(Lsn).Assembly.GetReferencedAssemblies().Select(a => a.Name!).Where(NamesDriver).ShouldBeEmpty();
    }

    [Fact]
    public void Every_project_takes_its_versions_from_one_place()
    {
        var pinned = Repository.Projects("src").Concat(Repository.Projects("tests"))
            .Where(p => XDocument.Load(p).Descendants("PackageReference").Any(r => r.Attribute("Version") is not null))
            .Select(Repository.Relative);
        pinned.ShouldBeEmpty();
    }

    private static bool NamesDriver(string name) => Drivers.Any(d => name.Contains(d, StringComparison.Ordinal));

    private static List<string> References(string project, string kind) =>
        [.. XDocument.Load(Path.Combine(Repository.Root, project)).Descendants(kind).Select(r => (string)r.Attribute("Include")!)];
}
