namespace DbSync.Tests.House;

/// <summary>The checkout that the tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static IEnumerable<string> Projects(string folder) => Directory.GetFiles(Path.Combine(Root, folder), "*.csproj", SearchOption.AllDirectories);

    /// <summary>The files below <paramref name="folders"/> that people write.</summary>
    public static IEnumerable<string> Sources(string pattern, params string[] folders) => folders
        .SelectMany(f => Directory.GetFiles(Path.Combine(Root, f), pattern, SearchOption.AllDirectories))
        .Where(f => !Relative(f).Split('/').Any(part => part is "bin" or "obj"));

    public static string Relative(string path) => Path.GetRelativePath(Root, path).Replace('\\', '/');

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
            if (File.Exists(Path.Combine(directory.FullName, "DbSync.sln"))) return directory.FullName;
        throw new DirectoryNotFoundException("The tests don't run inside a checkout.");
    }
}
