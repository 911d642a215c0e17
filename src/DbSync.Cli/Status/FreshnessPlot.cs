using System.Globalization;
using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace DbSync.Cli.Status;

/// <summary>How likely a read is fresh, by the time since the commit: one line of bars for each shard, t doubling from bar to bar.</summary>
internal static class FreshnessPlot
{
    private const int Bars = 14;
    private const double FirstMs = 0.5;
    private const string Heights = " ▁▂▃▄▅▆▇█";

    public static IRenderable Of(IEnumerable<ShardReport> shards)
    {
        var measured = shards.Where(s => s.Freshness is { Samples: > 0 }).ToList();
        if (measured.Count == 0) return Text.Empty;
        var table = new Table().Border(TableBorder.Simple).AddColumns("a read is fresh", "0.5 ms to 4 s", "after");
        table.AddColumn(new TableColumn("commits").RightAligned()).AddColumn("P = 1 - e^(-lambda t)");
        foreach (var shard in measured)
        {
            var fresh = shard.Freshness!;
            table.AddRow(StatusPage.Cells(
                shard.Id, Draw(fresh), $"{Units.Duration(When(fresh, 0.5))} half, {Units.Duration(When(fresh, 0.99))} 99 %", Units.Count(fresh.Samples), Fit(fresh)));
        }
        return table;
    }

    private static string Draw(Freshness fresh)
    {
        var bars = new StringBuilder(Bars);
        for (var i = 0; i < Bars; i++) bars.Append(Heights[(int)Math.Round(fresh.At(FirstMs * Math.Pow(2, i)) * (Heights.Length - 1))]);
        return bars.ToString();
    }

    private static double? When(Freshness fresh, double share) => fresh.Curve.FirstOrDefault(p => p[1] >= share)?[0];

    private static string Fit(Freshness fresh) => fresh.Lambda is { } lambda
        ? string.Create(CultureInfo.InvariantCulture, $"lambda {lambda:0.###}/ms from {fresh.LeastMs:0.#} ms, off by {fresh.Ks:0.000}")
        : string.Create(CultureInfo.InvariantCulture, $"does not fit (off by {fresh.Ks:0.00})");
}
