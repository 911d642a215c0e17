namespace DbSync.Testing;

/// <summary>The shared server of PostgreSQL 18. A test asks <see cref="IsAvailable"/> first, and is skipped where it isn't.</summary>
public sealed class Postgres18Fixture : PostgresFixture
{
    public const string SkipReason = "needs PostgreSQL 18: scripts/bootstrap --pg18, then DBSYNC_TEST_PG18";

    public static bool IsAvailable => PostgresBinaries.Find18() is not null;

    protected override PostgresServerOptions Options => new() { BinDirectory = PostgresBinaries.Find18() };
}
