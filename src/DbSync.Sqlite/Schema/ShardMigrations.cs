using System.Globalization;
using System.Reflection;

namespace DbSync.Sqlite;

/// <summary>Brings a shard file's own tables to the shape that this version knows: numbered scripts, each in one transaction.</summary>
internal static class ShardMigrations
{
    /// <summary>Marks a file as a DbSync shard ("DbSy" in ASCII), so that no other SQLite file is taken for one.</summary>
    private const int ApplicationId = 0x44625379;

    /// <exception cref="DbSyncException">DBS4002 written by a newer version, DBS4005 not a shard file.</exception>
    public static void Apply(SqliteDatabase database, string name)
    {
        var scripts = Scripts();
        var version = database.QueryInteger("PRAGMA user_version");
        var applicationId = database.QueryInteger("PRAGMA application_id");
        if (applicationId != ApplicationId && (applicationId != 0 || version != 0))
            throw new DbSyncException(ErrorCodes.ShardFileMismatch, $"'{name}' is not a DbSync shard file.", "Choose another data directory.");
        if (version > scripts.Count)
            throw new DbSyncException(
                ErrorCodes.ShardFileNewer,
                $"'{name}' has format {version}; this version of DbSync knows {scripts.Count}.",
                "Run the newer DbSync, or copy the shard again with 'dbsync resync'.");
        for (var next = (int)version; next < scripts.Count; next++)
        {
            database.Execute("BEGIN IMMEDIATE"); // whoever fails inside closes the file, and with it takes everything back
            database.Execute(scripts[next]);
            database.Execute($"PRAGMA application_id = {ApplicationId}");
            database.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {next + 1}"));
            database.Execute("COMMIT");
        }
    }

    /// <summary>The scripts that this version knows, in order.</summary>
    public static List<string> Scripts()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith("migrations/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(n =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(n)!);
                return reader.ReadToEnd();
            })
            .ToList();
    }
}
