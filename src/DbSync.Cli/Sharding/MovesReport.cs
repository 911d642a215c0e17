using System.Globalization;
using DbSync.Cli.Status;
using DbSync.Postgres;
using DbSync.Sqlite;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace DbSync.Cli.Sharding;

/// <summary>What <c>dbsync shards plan --json</c> writes: what another set of shards would move, exactly in buckets and rows, nearly in bytes.</summary>
/// <param name="MapVersion">The version that the plan starts from.</param>
/// <param name="Buckets">Copies of buckets to be made.</param>
/// <param name="BucketsMin">The fewest that any plan to the same weights could make.</param>
/// <param name="Rows">Rows to be copied.</param>
/// <param name="Bytes">About so many bytes, by the mean size of a row in its shard.</param>
/// <param name="Moves">The same by shards; null stands for nowhere.</param>
/// <param name="After">The shards as they would be.</param>
internal sealed record MovesReport(
    long MapVersion, int Buckets, int BucketsMin, long Rows, long Bytes, IReadOnlyList<MovesReport.Move> Moves, IReadOnlyList<MovesReport.Shard> After)
{
    internal sealed record Move(string? From, string? To, int Buckets, long Rows, long Bytes);

    internal sealed record Shard(string Id, int Weight, int Buckets);

    /// <exception cref="DbSyncException">DBS1001 no such shard, or the replica is not sharded; DBS5104 too few shards for the copies.</exception>
    public static MovesReport Read(NodeFile node, string directory, ShardChanges changes, CancellationToken cancellationToken)
    {
        var views = node.Shards.Where(s => File.Exists(Path.Combine(directory, s.File))).Select(s => new ShardView(directory, s)).ToList();
        try
        {
            var layout = ShardsReport.LayoutOf(views);
            var plan = ShardMapPlanner.Plan(layout.Map, changes.Apply(layout.Map.Topology));
            var rows = BucketWeights.Count(layout, views, cancellationToken);
            var rowBytes = views.ToDictionary(v => v.Id, v => BytesOfRow(v, layout), StringComparer.Ordinal);
            var moves = plan.Moves.GroupBy(m => (From: m.From?.Name, To: m.To?.Name)).Select(g =>
            {
                var count = g.Sum(m => rows[m.Bucket.Number]);
                var source = g.Key.From ?? layout.Map.ShardOf(g.First().Bucket).Name;
                return new Move(g.Key.From, g.Key.To, g.Count(), count, (long)(count * rowBytes.GetValueOrDefault(source)));
            }).OrderBy(m => m.From, StringComparer.Ordinal).ThenBy(m => m.To, StringComparer.Ordinal).ToList();
            var counts = plan.Target.CountCopies();
            return new MovesReport(
                layout.Version, plan.CopiesToMove, plan.CopiesToMoveMin, moves.Where(m => m.To is not null).Sum(m => m.Rows),
                moves.Where(m => m.To is not null).Sum(m => m.Bytes), moves,
                [.. plan.Target.Topology.Shards.Select((s, i) => new Shard(s.Id.Name, s.Weight, counts[i]))]);
        }
        finally
        {
            foreach (var view in views) view.Dispose();
        }
    }

    public IRenderable ToPage()
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("from", "to");
        foreach (var column in new[] { "buckets", "rows", "about" }) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var move in Moves) table.AddRow(StatusPage.Cells(move.From ?? "-", move.To ?? "-", Units.Count(move.Buckets), Units.Count(move.Rows), Units.Bytes(move.Bytes)));
        return new Rows(
            table,
            new Text(string.Create(
                CultureInfo.InvariantCulture,
                $"{Buckets:N0} copies of buckets to make (no plan needs fewer than {BucketsMin:N0}): {Rows:N0} rows, about {Units.Bytes(Bytes)}.")),
            new Text($"Then: {string.Join(", ", After.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Id} (weight {s.Weight}) {s.Buckets:N0} buckets")))}."));
    }

    private static double BytesOfRow(ShardView shard, ShardLayout layout)
    {
        var rows = shard.Progress().Where(t => layout.Keys.ContainsKey(t.Name)).Sum(t => t.Rows);
        return rows == 0 ? 0 : shard.Bytes / (double)rows;
    }
}
