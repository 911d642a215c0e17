using Microsoft.EntityFrameworkCore;

namespace DbSync.Benchmarks.Reads;

/// <summary>The three that are measured by turns: the primary over TCP loopback, a plain SQLite context that keeps its connection open, and routed.</summary>
internal sealed record Sides(DbContextOptions<ReadsContext> Npgsql, DbContextOptions<ReadsContext> Sqlite, DbContextOptions<ReadsContext> Routed)
{
    public const string NpgsqlName = "Npgsql over loopback";
    public const string SqliteName = "a plain SQLite context";

    public static DbContextOptionsBuilder<ReadsContext> Options() =>
        new DbContextOptionsBuilder<ReadsContext>().UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking);
}
