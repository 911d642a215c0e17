namespace DbSync;

/// <summary>
/// How likely a read that comes t after a commit sees it: measured, and beside it the formula P = 1 - e^(-lambda t), which is exact only where
/// delays are exponential. So the formula's lambda is given only where it fits.
/// </summary>
/// <remarks>
/// PBS t-visibility (Bailis, Venkataraman, Franklin, Hellerstein, Stoica, "Probabilistically Bounded Staleness for Practical Partial Quorums",
/// VLDB 2012); lambda is the maximum-likelihood estimate for delays above the least one, and the error is Kolmogorov and Smirnov's largest distance.
/// </remarks>
/// <param name="Lambda">Per ms, for t above <paramref name="LeastMs"/>; null where the formula does not fit.</param>
/// <param name="Ks">The largest distance between the measured curve and the formula's, 0 to 1; null without samples.</param>
/// <param name="Samples">How many commits were measured.</param>
/// <param name="LeastMs">The least delay measured.</param>
/// <param name="Curve">The measured curve: t in ms, and the share of commits that were visible by then.</param>
internal sealed record Freshness(double? Lambda, double? Ks, long Samples, double? LeastMs, IReadOnlyList<double[]> Curve)
{
    /// <summary>The largest distance at which lambda is given.</summary>
    public const double KsMax = 0.05;

    private const int PointsMax = 40;

    public static Freshness Of(DelayHistogram delays)
    {
        var steps = delays.Steps();
        var samples = steps.Sum(s => s.Count);
        if (samples == 0) return new Freshness(null, null, 0, null, []);
        var least = steps[0].UpperMs;
        var mean = steps.Sum(s => s.Count * (s.UpperMs - least)) / samples;
        var lambda = mean > 0 ? 1 / mean : double.PositiveInfinity;
        var (ks, passed) = (0.0, 0L);
        var measured = new List<double[]>(steps.Count);
        foreach (var (upper, count) in steps)
        {
            var formula = double.IsInfinity(lambda) ? 1 : 1 - Math.Exp(-lambda * (upper - least));
            var before = (double)passed / samples;
            passed += count;
            var after = (double)passed / samples;

            // Within a step the samples may lie anywhere, so only its end counts; but the first step's samples are all at the least delay.
            ks = Math.Max(ks, Math.Abs(after - formula));
            if (after > before) measured.Add([upper, after]);
        }
        return new Freshness(ks <= KsMax && !double.IsInfinity(lambda) ? lambda : null, ks, samples, least, Thin(measured));
    }

    /// <summary>The measured share of commits that are visible <paramref name="ms"/> after they were made.</summary>
    public double At(double ms) => Curve.LastOrDefault(p => p[0] <= ms)?[1] ?? 0;

    /// <summary>So many points as are worth writing down, the last among them.</summary>
    private static List<double[]> Thin(List<double[]> points)
    {
        if (points.Count <= PointsMax) return points;
        var thin = new List<double[]>(PointsMax);
        for (var i = 0; i < PointsMax; i++) thin.Add(points[(int)((long)i * (points.Count - 1) / (PointsMax - 1))]);
        return thin;
    }
}
