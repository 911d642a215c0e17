using System.Globalization;
using DbSync.Cli.Status;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace DbSync.Cli.Sharding;

/// <summary>The shards as people see them: a ring whose arcs are their parts of the buckets, and a table.</summary>
internal static class ShardsPage
{
    private const int Radius = 5;

    private static readonly Color[] Colors =
        [Color.Aqua, Color.Yellow, Color.Fuchsia, Color.Lime, Color.Blue, Color.Red, Color.White, Color.Teal, Color.Olive, Color.Purple, Color.Green, Color.Grey];

    public static IRenderable Of(ShardsReport report)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("", "shard");
        foreach (var column in new[] { "weight", "buckets", "share", "rows", "size", "behind" }) table.AddColumn(new TableColumn(column).RightAligned());
        for (var i = 0; i < report.Shards.Count; i++)
        {
            var shard = report.Shards[i];
            table.AddRow([
                new Text(Letter(i), new Style(ColorOf(i))),
                .. StatusPage.Cells(
                    shard.Id, Units.Count(shard.Weight), Units.Count(shard.Buckets), Percent(shard.BucketShare), Units.Count(shard.Rows), Units.Bytes(shard.Bytes),
                    Units.Bytes(shard.LagBytes)),
            ]);
        }
        var even = report.Balance;
        var lines = new List<IRenderable>
        {
            new Text(string.Create(
                CultureInfo.InvariantCulture,
                $"Replica {report.Replica}, map version {report.MapVersion} ({report.Stage}): {report.Buckets:N0} buckets, {report.Copies} {(report.Copies == 1 ? "copy" : "copies")} of each; lag {Units.Duration(report.LagMs)}.")),
            new Columns(Ring(report), table) { Expand = false },
            new Text(string.Create(
                CultureInfo.InvariantCulture,
                $"Fullest shard against its weight: buckets {even.Buckets:0.00}, rows {Ratio(even.Rows)}, bytes {Ratio(even.Bytes)} (1.00 is even).")),
        };
        foreach (var heavy in report.Heaviest ?? [])
            lines.Add(new Text(string.Create(
                CultureInfo.InvariantCulture, $"Bucket {heavy.Bucket} in {heavy.Shard}: {heavy.Rows:N0} rows, {heavy.TimesMean:0.0} times the mean.")));
        return new Rows(lines);
    }

    /// <summary>Clockwise from the top; each shard's arc is its part of the buckets.</summary>
    private static Rows Ring(ShardsReport report)
    {
        var lines = new List<IRenderable>();
        for (var y = -Radius; y <= Radius; y++)
        {
            var line = new Paragraph();
            for (var x = -2 * Radius; x <= 2 * Radius; x++)
            {
                var distance = Math.Sqrt((x * x / 4.0) + (y * y)); // a character is about twice as high as wide
                var turn = (Math.Atan2(x / 2.0, -y) / (2 * Math.PI) + 1) % 1;
                if (distance > Radius + 0.3 || distance < Radius - 1.2) line.Append(" ");
                else if (ShardAt(report, turn) is var shard) line.Append(Letter(shard), new Style(ColorOf(shard)));
            }
            lines.Add(line);
        }
        return new Rows(lines);
    }

    private static int ShardAt(ShardsReport report, double turn)
    {
        var passed = 0.0;
        for (var i = 0; i < report.Shards.Count; i++)
            if (turn < (passed += report.Shards[i].BucketShare)) return i;
        return report.Shards.Count - 1;
    }

    private static Color ColorOf(int shard) => Colors[shard % Colors.Length];

    /// <summary>So that the ring can be read without colours too.</summary>
    private static string Letter(int shard) => ((char)((shard % 52) < 26 ? 'A' + (shard % 26) : 'a' + (shard % 26))).ToString();

    private static string Percent(double share) => (share * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static string Ratio(double? ratio) => ratio?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-";
}
