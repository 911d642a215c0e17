using System.Collections.Concurrent;

namespace DbSync.Testing;

/// <summary>A data directory as initdb leaves it, made once per process and PostgreSQL version and copied from then on: initdb takes a second or more.</summary>
internal static class PostgresTemplate
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<string>>> Templates = new(StringComparer.Ordinal);

    /// <summary>Puts a new data directory to <paramref name="target"/>, which must not exist.</summary>
    public static async Task CopyToAsync(string binDirectory, string target, CancellationToken cancellationToken)
    {
        var template = Templates.GetOrAdd(binDirectory, bin => new Lazy<Task<string>>(() => InitialiseAsync(bin)));
        var source = await template.Value.WaitAsync(cancellationToken).ConfigureAwait(false);
        await ProcessRunner.RunCheckedAsync("cp", ["-a", source, target], cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A directory that belongs to the user the server runs as.</summary>
    public static async Task CreateServerDirectoryAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (PostgresBinaries.RunAs is { } user)
            await ProcessRunner.RunCheckedAsync("chown", [$"{user}:", path], cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    // Shared by all callers, so no single caller's token can cancel it.
    private static async Task<string> InitialiseAsync(string binDirectory)
    {
        var path = ProcessGuard.NewPath("initdb");
        await CreateServerDirectoryAsync(path, CancellationToken.None).ConfigureAwait(false);
        var command = PostgresBinaries.Command(
            Path.Combine(binDirectory, "initdb"),
            "--pgdata=" + path, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync");
        await ProcessRunner.RunCheckedAsync(command[0], command.Skip(1), PostgresBinaries.Environment(binDirectory), path).ConfigureAwait(false);
        return path;
    }
}
