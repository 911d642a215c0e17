using System.Globalization;
using DbSync.Postgres;
using DbSync.Sqlite;

namespace DbSync.Cli.Running;

/// <summary>Checks of what is on this machine.</summary>
internal static class LocalChecks
{
    public static PreflightCheck Sqlite()
    {
        const string name = "SQLite";
        try
        {
            var version = SqliteDatabase.CheckVersion(); // 3053004 is 3.53.4
            return PreflightCheck.Ok(
                CheckCodes.SqliteVersion, name, string.Create(CultureInfo.InvariantCulture, $"Version {version / 1_000_000}.{version / 1000 % 1000}.{version % 1000}."));
        }
        catch (DbSyncException exception)
        {
            return PreflightCheck.Fail(CheckCodes.SqliteVersion, name, exception.Message, "Commits could be lost.", exception.Fix);
        }
    }

    public static PreflightCheck Directory(string path)
    {
        const string name = "data directory";
        if (!System.IO.Directory.Exists(path)) return PreflightCheck.Ok(CheckCodes.DataDirectory, name, "It is not there yet; 'dbsync init' makes it.");
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        if (!IsWritable(path))
            return PreflightCheck.Fail(CheckCodes.DataDirectory, name, "It is not writable.", "Shards are written there.", $"chown {Environment.UserName} '{path}'");
        return !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & others) != UnixFileMode.None
            ? PreflightCheck.Warn(CheckCodes.DataDirectory, name, "Others on this machine can look into it.", "Shards hold the primary's rows.", $"chmod 700 '{path}'")
            : PreflightCheck.Ok(CheckCodes.DataDirectory, name, "It is writable, and only its owner's.");
    }

    private static bool IsWritable(string path)
    {
        try
        {
            using (File.Create(Path.Combine(path, Path.GetRandomFileName()), 1, FileOptions.DeleteOnClose)) return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
