using DbSync.Postgres;

namespace DbSync.Testing;

/// <summary>The control schema in a database, as <c>dbsync init</c> puts it there: for tests and samples that need nothing but locks.</summary>
public static class InstalledSchema
{
    public static async Task CreateAsync(string connectionString, CancellationToken cancellationToken = default)
    {
        await using var primary = new Primary(connectionString);
        await new ControlSchema(primary).UpgradeAsync(cancellationToken).ConfigureAwait(false);
    }
}
