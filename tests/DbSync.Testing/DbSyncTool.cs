namespace DbSync.Testing;

/// <summary>
/// The <c>dbsync</c> tool as users run it, in a process of its own, from the build beside the test assembly. Settings of the developer's
/// shell (<c>DBSYNC_*</c>) don't reach it: it sees only what the test gives.
/// </summary>
public static class DbSyncTool
{
    /// <summary>The built tool.</summary>
    /// <exception cref="FileNotFoundException">The test project doesn't reference DbSync.Cli.</exception>
    public static string AssemblyPath
    {
        get
        {
            var path = Path.Combine(AppContext.BaseDirectory, "DbSync.Cli.dll");
            return File.Exists(path) ? path : throw new FileNotFoundException("The test project must reference DbSync.Cli.", path);
        }
    }

    /// <summary>Runs a command to its end.</summary>
    public static Task<ProcessResult> RunAsync(
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null,
        CancellationToken cancellationToken = default) =>
        ProcessRunner.RunAsync(Host, [.. Prefix, .. arguments], Isolated(environment), workingDirectory, cancellationToken);

    /// <summary>Starts a command that keeps running, such as <c>run</c>.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="environment">What it sees besides what this process sees.</param>
    /// <param name="workingDirectory">Where it runs.</param>
    /// <param name="shell">What the shell does first that becomes it, such as <c>umask 000</c>.</param>
    public static TestProcess Start(
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null,
        string? shell = null) => shell is null
            ? TestProcess.Start(Host, [.. Prefix, .. arguments], Isolated(environment), workingDirectory)
            : TestProcess.Start("sh", ["-c", $"{shell}; exec \"$@\"", "sh", Host, .. Prefix, .. arguments], Isolated(environment), workingDirectory);

    // `dotnet exec` loads the tool into its own process, so signals and process ids are the tool's.
    private static string Host => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } path ? path : "dotnet";

    private static string[] Prefix => ["exec", AssemblyPath];

    private static Dictionary<string, string?> Isolated(IReadOnlyDictionary<string, string?>? environment)
    {
        var result = Environment.GetEnvironmentVariables().Keys.Cast<string>()
            .Where(name => name.StartsWith("DBSYNC_", StringComparison.Ordinal))
            .ToDictionary(name => name, string? (_) => null, StringComparer.Ordinal);
        foreach (var (name, value) in environment ?? result)
            result[name] = value;
        return result;
    }
}
