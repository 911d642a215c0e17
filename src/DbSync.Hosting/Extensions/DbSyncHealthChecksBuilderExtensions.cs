using DbSync.Hosting;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds DbSync's health checks.</summary>
public static class DbSyncHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds <c>dbsync-lag</c> (the replica is older than <c>DbSync:LagMax</c>) and <c>dbsync-stall</c> (nobody keeps it up to date). They look at the
    /// data directory, so they hold for an engine in this process, in another one, and for <c>dbsync run</c>.
    /// </summary>
    /// <param name="builder">The application's checks.</param>
    /// <param name="failureStatus">
    /// What they report. Default: degraded, since the primary answers meanwhile; say unhealthy to take an application out of rotation.
    /// </param>
    /// <param name="tags">Tags to filter by.</param>
    public static IHealthChecksBuilder AddDbSync(
        this IHealthChecksBuilder builder, HealthStatus failureStatus = HealthStatus.Degraded, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var shown = tags?.ToArray() ?? [];
        return builder.AddCheck<LagCheck>("dbsync-lag", failureStatus, shown).AddCheck<StallCheck>("dbsync-stall", failureStatus, shown);
    }
}
