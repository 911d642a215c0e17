using CsCheck;

namespace DbSync.Tests.Diagnostics;

public sealed class DelayHistogramTests
{
    private const double ErrorMax = 1.0 / 16;

    [Fact]
    public void A_quantile_is_never_below_the_truth_and_at_most_a_sixteenth_above() =>
        Gen.Select(Gen.Long[0, 40].SelectMany(bits => Gen.Long[0, 1L << (int)bits]).List[1, 200], Gen.Double[0.01, 1]).Sample((micros, quantile) =>
        {
            var histogram = new DelayHistogram();
            foreach (var delay in micros) histogram.Record(TimeSpan.FromMicroseconds(delay));
            var truth = micros.Order().ElementAt((int)Math.Max(1, Math.Ceiling(quantile * micros.Count)) - 1) / 1000.0;
            var measured = histogram.QuantileMs(quantile)!.Value;
            measured.ShouldBeGreaterThanOrEqualTo(truth);
            measured.ShouldBeLessThanOrEqualTo(truth * (1 + ErrorMax) + 1e-9);
        });

    [Fact]
    public void Nothing_measured_has_no_quantile() => new DelayHistogram().QuantileMs(0.5).ShouldBeNull();

    [Fact]
    public void A_clock_that_went_back_counts_as_no_delay()
    {
        var histogram = new DelayHistogram();
        histogram.Record(TimeSpan.FromSeconds(-5));
        histogram.QuantileMs(1).ShouldBe(0);
    }

    [Fact]
    public void Delays_beyond_all_measure_are_counted_in_the_last_step()
    {
        var histogram = new DelayHistogram();
        histogram.Record(TimeSpan.MaxValue);
        histogram.Count.ShouldBe(1);
        histogram.QuantileMs(0.5)!.Value.ShouldBeGreaterThan(TimeSpan.FromDays(1).TotalMilliseconds);
    }

    [Fact]
    public void No_recording_is_lost_when_threads_race()
    {
        var histogram = new DelayHistogram();
        Parallel.For(0, 8, _ =>
        {
            for (var i = 0; i < 10_000; i++) histogram.Record(TimeSpan.FromMicroseconds(i));
        });
        histogram.Count.ShouldBe(80_000);
    }
}
