using Microsoft.Extensions.Time.Testing;

namespace DbSync.Tests.Diagnostics;

public sealed class LagProbeTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly LagProbe _probe;

    public LagProbeTests() => _probe = new LagProbe(_time);

    [Fact]
    public void Before_the_first_heartbeat_the_lag_is_unknown() => _probe.Lag.ShouldBeNull();

    [Fact]
    public void The_lag_is_the_age_of_the_last_heartbeat_when_it_became_visible()
    {
        Send(10);
        _time.Advance(TimeSpan.FromMilliseconds(30));
        _probe.Visible(new Lsn(10));
        _time.Advance(TimeSpan.FromHours(1));
        _probe.Lag.ShouldBe(TimeSpan.FromMilliseconds(30));
    }

    [Fact]
    public void A_heartbeat_that_does_not_come_makes_the_lag_grow()
    {
        Send(10);
        _probe.Visible(new Lsn(10));
        Send(20);
        _time.Advance(TimeSpan.FromSeconds(3));
        Send(30);
        _probe.Visible(new Lsn(19));
        _time.Advance(TimeSpan.FromSeconds(4));
        _probe.Lag.ShouldBe(TimeSpan.FromSeconds(7));
        _probe.Visible(new Lsn(25));
        _probe.Lag.ShouldBe(TimeSpan.FromSeconds(7));
        _probe.Visible(new Lsn(30));
        _probe.Lag.ShouldBe(TimeSpan.FromSeconds(4));
    }

    [Fact]
    public void However_many_heartbeats_are_missing_the_oldest_counts()
    {
        for (var i = 1; i <= 5000; i++)
        {
            Send((ulong)i);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        _probe.Lag.ShouldBe(TimeSpan.FromSeconds(5000));
    }

    private void Send(ulong position) => _probe.Sent(new Lsn(position), _time.GetTimestamp());
}
