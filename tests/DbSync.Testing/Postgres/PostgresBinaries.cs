using System.Globalization;

namespace DbSync.Testing;

/// <summary>Finds PostgreSQL's programs, and starts them as a user they accept: PostgreSQL refuses to run as root.</summary>
public static class PostgresBinaries
{
    private const string InstalledVersions = "/usr/lib/postgresql";

    private static readonly Lazy<string?> ServerUser = new(FindServerUser);

    /// <summary>The folder with initdb and postgres, or null when there is none on this machine.</summary>
    public static string? Find() => FromEnvironment("DBSYNC_TEST_PG_BIN") ?? FromPath() ?? Newest();

    /// <summary>The folder of PostgreSQL 18, where <c>scripts/bootstrap --pg18</c> has fetched it and <c>DBSYNC_TEST_PG18</c> says so; else null.</summary>
    public static string? Find18() => FromEnvironment("DBSYNC_TEST_PG18");

    /// <summary>The user a PostgreSQL server runs as: null for ourselves, another one when we are root.</summary>
    internal static string? RunAs => ServerUser.Value;

    /// <summary>The command line that runs <paramref name="program"/> as <see cref="RunAs"/>; without a fork, so the process keeps its id.</summary>
    internal static IReadOnlyList<string> Command(string program, params ReadOnlySpan<string> arguments) =>
        RunAs is { } user
            ? ["setpriv", $"--reuid={user}", $"--regid={GroupOf(user)}", "--clear-groups", program, .. arguments]
            : [program, .. arguments];

    /// <summary>Libraries that come with the programs (the npm packages carry them in a folder beside).</summary>
    internal static IReadOnlyDictionary<string, string?> Environment(string binDirectory) => new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["LD_LIBRARY_PATH"] = Path.GetFullPath(Path.Combine(binDirectory, "..", "lib")),
        ["LC_ALL"] = "C.UTF-8",
        ["PGDATA"] = null,
        ["PGPORT"] = null,
        ["PGHOST"] = null,
    };

    private static string? FromEnvironment(string variable)
    {
        var directory = System.Environment.GetEnvironmentVariable(variable);
        if (string.IsNullOrEmpty(directory))
            return null;
        return IsBinDirectory(directory)
            ? directory
            : throw new InvalidOperationException($"{variable} names '{directory}', which has no initdb and postgres.");
    }

    private static string? FromPath() =>
        (System.Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Where(IsBinDirectory)
            .Select(directory => Path.GetDirectoryName(
                new FileInfo(Path.Combine(directory, "postgres")).ResolveLinkTarget(returnFinalTarget: true)?.FullName) ?? directory)
            .FirstOrDefault();

    private static string? Newest() =>
        !Directory.Exists(InstalledVersions)
            ? null
            : Directory.EnumerateDirectories(InstalledVersions)
                .Select(directory => (Bin: Path.Combine(directory, "bin"), Version: NumberOf(Path.GetFileName(directory))))
                .Where(found => IsBinDirectory(found.Bin))
                .OrderByDescending(found => found.Version)
                .Select(found => found.Bin)
                .FirstOrDefault();

    private static bool IsBinDirectory(string directory) =>
        File.Exists(Path.Combine(directory, "initdb")) && File.Exists(Path.Combine(directory, "postgres"));

    private static double NumberOf(string version) =>
        double.TryParse(version, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static string? FindServerUser()
    {
        if (!System.Environment.IsPrivilegedProcess)
            return null;
        var users = File.ReadLines("/etc/passwd").Select(line => line.Split(':')[0]).ToHashSet(StringComparer.Ordinal);
        return users.Contains("postgres") ? "postgres" : "nobody";
    }

    private static string GroupOf(string user) =>
        File.ReadLines("/etc/passwd").Select(line => line.Split(':')).First(fields => fields[0] == user)[3];
}
