using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace DbSync.Hosting;

/// <summary>Says whether the replica is too old.</summary>
internal sealed class LagCheck(IOptions<DbSyncOptions> options, TimeProvider time) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var settings = options.Value;
        return Task.FromResult(LiveStatus.TryLoad(settings.DataDirectory!) is { LagMs: { } lag } status
            ? Judge(context, settings, status, TimeSpan.FromMilliseconds(lag) + Silence(status))
            : new HealthCheckResult(context.Registration.FailureStatus, "The lag is not known: no node has run in the data directory, or it has no heartbeat yet."));
    }

    // The file says how old the replica was when it was written.
    private TimeSpan Silence(LiveStatus status) => time.GetUtcNow() - status.UpdatedAt is var silence && silence > TimeSpan.FromSeconds(1) ? silence : TimeSpan.Zero;

    private static HealthCheckResult Judge(HealthCheckContext context, DbSyncOptions settings, LiveStatus status, TimeSpan lag)
    {
        var data = new Dictionary<string, object>(StringComparer.Ordinal) { ["lagMs"] = lag.TotalMilliseconds, ["appliedLsn"] = status.AppliedLsn };
        var text = string.Create(CultureInfo.InvariantCulture, $"The replica is {lag.TotalMilliseconds:0} ms old.");
        return lag <= settings.LagMax ? HealthCheckResult.Healthy(text, data) : new HealthCheckResult(context.Registration.FailureStatus, text, data: data);
    }
}
