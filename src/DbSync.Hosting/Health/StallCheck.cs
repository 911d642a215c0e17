using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace DbSync.Hosting;

/// <summary>Says whether somebody keeps the replica up to date, in this process or in another one.</summary>
internal sealed class StallCheck(IOptions<DbSyncOptions> options, TimeProvider time) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var settings = options.Value;
        if (LiveStatus.TryLoad(settings.DataDirectory!) is not { } status)
            return Task.FromResult(new HealthCheckResult(context.Registration.FailureStatus, "No node has run in the data directory yet."));
        var data = new Dictionary<string, object>(StringComparer.Ordinal) { ["state"] = status.Pipeline.ToString(), ["updatedAt"] = status.UpdatedAt, ["appliedLsn"] = status.AppliedLsn };
        return Task.FromResult(Trouble(settings, status) is { } trouble
            ? new HealthCheckResult(context.Registration.FailureStatus, trouble, data: data)
            : HealthCheckResult.Healthy(status.Pipeline == PipelineState.Streaming ? "The change log is followed." : "The primary is being looked for.", data));
    }

    private string? Trouble(DbSyncOptions settings, LiveStatus status)
    {
        if (status.Pipeline == PipelineState.Failed) return $"The engine has failed; see 'dbsync explain {status.ErrorCode}'.";
        if (time.GetUtcNow() - status.UpdatedAt > settings.StallAfter) return "The engine gives no sign of life.";
        var isAway = status.Pipeline != PipelineState.Streaming && status.ErrorCode is not null;
        return isAway && !(status.LagMs < settings.StallAfter.TotalMilliseconds) ? $"The primary is not followed; see 'dbsync explain {status.ErrorCode}'." : null;
    }
}
