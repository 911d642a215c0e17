namespace DbSync.Benchmarks.Replication;

/// <summary>A figure measured in several rounds, ours beside the peer's of the same round.</summary>
internal sealed class Samples
{
    private readonly List<double> _ours = [];
    private readonly List<double> _theirs = [];

    public double Ours => Median(_ours);

    public double Theirs => Median(_theirs);

    /// <summary>The median of the rounds' ratios: the machine is the same only within a round.</summary>
    public double Ratio => Median([.. _ours.Zip(_theirs, (ours, theirs) => ours / theirs)]);

    public void AddOurs(double value) => _ours.Add(value);

    public void AddTheirs(double value) => _theirs.Add(value);

    public static double Median(IReadOnlyCollection<double> values) => Quantile(values, 0.5);

    public static double Quantile(IReadOnlyCollection<double> values, double quantile)
    {
        if (values.Count == 0) return double.NaN;
        var sorted = values.Order().ToArray();
        var (low, high) = ((sorted.Length - 1) / 2, sorted.Length / 2);
        return quantile == 0.5 ? (sorted[low] + sorted[high]) / 2 : sorted[(int)Math.Ceiling(quantile * sorted.Length) - 1];
    }
}
