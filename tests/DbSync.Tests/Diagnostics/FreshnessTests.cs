namespace DbSync.Tests.Diagnostics;

public sealed class FreshnessTests
{
    [Fact]
    public void Exponential_delays_above_a_least_one_give_their_lambda_and_a_curve_that_is_the_formula()
    {
        var delays = new DelayHistogram();
        var random = new Random(5);
        for (var i = 0; i < 20_000; i++) delays.Record(TimeSpan.FromMilliseconds(2 - (Math.Log(1 - random.NextDouble()) / 0.25)));

        var fresh = Freshness.Of(delays);

        fresh.Samples.ShouldBe(20_000);
        fresh.LeastMs!.Value.ShouldBe(2, 0.2);
        fresh.Ks!.Value.ShouldBeLessThan(Freshness.KsMax);
        fresh.Lambda!.Value.ShouldBe(0.25, 0.02);
        fresh.At(2 + 4).ShouldBe(1 - Math.Exp(-1), 0.05);
        fresh.Curve.Count.ShouldBeLessThanOrEqualTo(40);
        fresh.Curve[^1][1].ShouldBe(1);
        fresh.Curve.Select(p => p[1]).ShouldBeInOrder();
    }

    [Fact]
    public void Delays_of_another_kind_give_their_curve_and_no_lambda()
    {
        var delays = new DelayHistogram();
        for (var i = 0; i < 1000; i++) delays.Record(TimeSpan.FromMilliseconds(i % 2 == 0 ? 1 : 100));

        var fresh = Freshness.Of(delays);

        fresh.Lambda.ShouldBeNull();
        fresh.Ks!.Value.ShouldBeGreaterThan(Freshness.KsMax);
        fresh.At(50).ShouldBe(0.5);
        fresh.At(200).ShouldBe(1);
    }

    [Fact]
    public void Nothing_measured_gives_nothing()
    {
        var fresh = Freshness.Of(new DelayHistogram());
        (fresh.Lambda, fresh.Ks, fresh.Samples, fresh.Curve.Count).ShouldBe((null, null, 0L, 0));
    }
}
