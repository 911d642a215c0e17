using DbSync.Sqlite;

namespace DbSync.Cli.Sharding;

/// <summary>What <c>dbsync shards list --json</c> writes. Sizes in bytes, durations in ms; null is unknown.</summary>
/// <param name="Replica">The replica.</param>
/// <param name="Node">The node whose data directory was read.</param>
/// <param name="MapVersion">The version of the shard map at the shards' position.</param>
/// <param name="Stage">Whether buckets are on their way: settled, moving (they are being copied) or switched (they are read in their new shards, and kept in the old ones).</param>
/// <param name="Copies">Copies of each bucket.</param>
/// <param name="Buckets">How many buckets there are.</param>
/// <param name="LagMs">The node's lag.</param>
/// <param name="Shards">The shards of the map.</param>
/// <param name="Balance">The largest shard against what its weight asks for: 1 is even.</param>
/// <param name="Heaviest">The buckets with most rows, when asked for.</param>
internal sealed record ShardsReport(
    string Replica, string Node, long MapVersion, string Stage, int Copies, int Buckets, double? LagMs, IReadOnlyList<ShardsReport.Shard> Shards, ShardsReport.Evenness Balance,
    IReadOnlyList<ShardsReport.HeavyBucket>? Heaviest)
{
    /// <summary>One shard. Rows are those of sharded tables; bytes are the file's and its log's.</summary>
    internal sealed record Shard(
        string Id, int Weight, string? File, int Buckets, double BucketShare, long? Rows, long? Bytes, string? AppliedLsn, long? LagBytes);

    internal sealed record Evenness(double Buckets, double? Rows, double? Bytes);

    internal sealed record HeavyBucket(int Bucket, string Shard, long Rows, double TimesMean);

    /// <exception cref="DbSyncException">DBS1001 when the replica is not sharded.</exception>
    public static ShardsReport Read(NodeFile node, string directory, bool findHeavy, CancellationToken cancellationToken)
    {
        var views = node.Shards.Where(s => File.Exists(Path.Combine(directory, s.File))).Select(s => new ShardView(directory, s)).ToList();
        try
        {
            var layout = LayoutOf(views);
            var live = LiveStatus.TryLoad(directory);
            var copies = layout.Map.CountCopies();
            var shards = layout.Map.Topology.Shards.Select((m, i) => Of(m, copies[i], layout, views.Find(v => v.Id == m.Id.Name), live)).ToList();
            var heavy = findHeavy ? BucketWeights.Heaviest(layout, views, cancellationToken) : null;
            return new ShardsReport(
                node.Replica, node.Node, layout.Version, StageOf(layout), layout.Map.Topology.Copies, Bucket.Count, live?.LagMs, shards,
                new Evenness(Unevenness(shards, s => s.Buckets)!.Value, Unevenness(shards, s => s.Rows), Unevenness(shards, s => s.Bytes)), heavy);
        }
        finally
        {
            foreach (var view in views) view.Dispose();
        }
    }

    /// <exception cref="DbSyncException">DBS1001 when the replica is not sharded.</exception>
    public static ShardLayout LayoutOf(IEnumerable<ShardView> shards) => shards.Select(v => v.Layout()).OfType<ShardLayout>().MaxBy(l => l.Version)
        ?? throw new DbSyncException(
            ErrorCodes.InvalidOption, "The replica is not sharded, or nothing was copied yet.", "Set it up with 'dbsync init --shards N --shard-key TABLE=COLUMN', then start 'dbsync run'.");

    /// <summary>A layout's stage, in one word.</summary>
    public static string StageOf(ShardLayout layout) => layout.Motion?.Stage.ToString().ToLowerInvariant() ?? "settled";

    private static Shard Of(ShardMember member, int buckets, ShardLayout layout, ShardView? view, LiveStatus? live)
    {
        var share = (double)buckets / (Bucket.Count * layout.Map.Topology.Copies);
        if (view is null) return new Shard(member.Id.Name, member.Weight, null, buckets, share, null, null, null, null);
        var position = view.BeginSnapshot();
        var rows = view.Progress().Where(t => layout.Keys.ContainsKey(t.Name)).Sum(t => t.Rows);
        view.EndSnapshot();
        long? lag = live is null ? null : Lsn.BytesBetween(Lsn.Max(Lsn.Parse(live.PrimaryLsn), position), position);
        return new Shard(member.Id.Name, member.Weight, view.FileName, buckets, share, rows, view.Bytes, position.ToString(), lag);
    }

    /// <summary>The most that any shard has, against what its weight gives it of the whole.</summary>
    private static double? Unevenness(List<Shard> shards, Func<Shard, long?> of)
    {
        double weights = shards.Sum(s => s.Weight), total = shards.Sum(s => of(s) ?? 0);
        return total == 0 ? null : shards.Where(s => s.Weight > 0).Max(s => (of(s) ?? 0) / total / (s.Weight / weights));
    }
}
