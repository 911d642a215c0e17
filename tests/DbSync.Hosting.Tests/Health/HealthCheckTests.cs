using DbSync.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;

namespace DbSync.Hosting.Tests.Health;

/// <summary>What the two checks say of each state that a data directory can be in.</summary>
public sealed class HealthCheckTests : IDisposable
{
    private const string Lag = "dbsync-lag";
    private const string Stall = "dbsync-stall";

    private readonly TemporaryDirectory _data = new();
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    private LiveStatus Following => LiveStatus.None with { Pipeline = PipelineState.Streaming, UpdatedAt = _time.GetUtcNow(), LagMs = 10, AppliedLsn = "0/AB" };

    [Fact]
    public async Task A_node_that_follows_is_healthy_and_the_checks_say_where_it_is()
    {
        Following.Save(_data.Path);
        var report = await CheckAsync();
        report.Status.ShouldBe(HealthStatus.Healthy);
        report.Entries.Keys.ShouldBe([Lag, Stall], ignoreOrder: true);
        report.Entries[Lag].Data["lagMs"].ShouldBe(10.0);
        report.Entries[Stall].Data["state"].ShouldBe(nameof(PipelineState.Streaming));
        report.Entries.Values.ShouldAllBe(e => (string)e.Data["appliedLsn"] == "0/AB");
    }

    [Fact]
    public async Task A_node_that_never_ran_is_a_matter_of_both()
    {
        (await CheckAsync()).ShouldSatisfyAllConditions(
            r => r.Entries[Stall].ShouldSatisfyAllConditions(e => e.Status.ShouldBe(HealthStatus.Degraded), e => e.Description!.ShouldContain("No node has run")),
            r => r.Entries[Lag].ShouldSatisfyAllConditions(e => e.Status.ShouldBe(HealthStatus.Degraded), e => e.Description!.ShouldContain("not known")));
    }

    [Fact]
    public async Task A_status_that_can_not_be_read_is_one_that_is_not_there()
    {
        await File.WriteAllTextAsync(_data[LiveStatus.FileName], "{ \"pipeline\": ", TestContext.Current.CancellationToken);
        (await CheckAsync()).Entries.Values.ShouldAllBe(e => e.Status == HealthStatus.Degraded && e.Exception == null);
    }

    [Fact]
    public async Task A_replica_that_is_too_old_is_a_matter_of_the_lag_alone()
    {
        (Following with { LagMs = 9_999 }).Save(_data.Path);
        (await CheckAsync()).Status.ShouldBe(HealthStatus.Healthy);
        (Following with { LagMs = 10_001 }).Save(_data.Path);
        await OnlyAsync(Lag, "10001 ms old");
        (Following with { LagMs = null }).Save(_data.Path); // it streams, and no heartbeat has come yet
        await OnlyAsync(Lag, "not known");
    }

    [Fact]
    public async Task A_status_grows_old_when_nobody_writes_it()
    {
        Following.Save(_data.Path);
        _time.Advance(TimeSpan.FromSeconds(11));
        await OnlyAsync(Lag, "11010 ms old"); // the node may be busy
        _time.Advance(TimeSpan.FromSeconds(20));
        var report = await CheckAsync();
        report.Entries[Lag].Status.ShouldBe(HealthStatus.Degraded);
        report.Entries[Stall].ShouldSatisfyAllConditions(e => e.Status.ShouldBe(HealthStatus.Degraded), e => e.Description!.ShouldContain("no sign of life"));
    }

    [Fact]
    public async Task An_engine_that_failed_is_a_matter_of_the_stall_however_young_the_replica()
    {
        (Following with { Pipeline = PipelineState.Failed, ErrorCode = ErrorCodes.StorageFailed }).Save(_data.Path);
        await OnlyAsync(Stall, ErrorCodes.StorageFailed);
    }

    [Fact]
    public async Task A_primary_that_is_away_counts_from_when_the_replica_is_as_old_as_a_stall()
    {
        var away = Following with { Pipeline = PipelineState.Connecting, ErrorCode = ErrorCodes.PrimaryUnreachable };
        (away with { LagMs = 5_000 }).Save(_data.Path);
        (await CheckAsync()).Status.ShouldBe(HealthStatus.Healthy);
        (away with { LagMs = 30_000 }).Save(_data.Path);
        (await CheckAsync()).Entries[Stall].ShouldSatisfyAllConditions(
            e => e.Status.ShouldBe(HealthStatus.Degraded), e => e.Description!.ShouldContain(ErrorCodes.PrimaryUnreachable));
    }

    [Fact]
    public async Task An_application_chooses_what_a_failure_is_and_its_own_tags()
    {
        var report = await CheckAsync(HealthStatus.Unhealthy, "ready");
        report.Status.ShouldBe(HealthStatus.Unhealthy);
        report.Entries.Values.ShouldAllBe(e => e.Status == HealthStatus.Unhealthy && e.Tags.Single() == "ready");
    }

    public void Dispose() => _data.Dispose();

    private async Task OnlyAsync(string check, string description)
    {
        var report = await CheckAsync();
        report.Entries.Where(e => e.Value.Status != HealthStatus.Healthy).Select(e => e.Key).ShouldBe([check]);
        report.Entries[check].Description!.ShouldContain(description);
    }

    private async Task<HealthReport> CheckAsync(HealthStatus failure = HealthStatus.Degraded, params string[] tags)
    {
        var services = new ServiceCollection().AddLogging().AddSingleton<TimeProvider>(_time).Configure<DbSyncOptions>(o => o.DataDirectory = _data.Path);
        services.AddHealthChecks().AddDbSync(failure, tags);
        await using var provider = services.BuildServiceProvider();
        return await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);
    }
}
