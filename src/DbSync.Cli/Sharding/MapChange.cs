using System.Globalization;
using DbSync.Hosting;
using DbSync.Postgres;
using DbSync.Sqlite;

namespace DbSync.Cli.Sharding;

/// <summary>
/// Takes a replica from one shard map to another, step by step. Each step is a version of the map on the primary, so that whoever is killed loses
/// nothing: <see cref="ContinueAsync"/> goes on from the step that is there.
/// </summary>
internal sealed class MapChange(Primary primary, NodeFile node, string directory, ToolConsole console, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private string _said = "";

    /// <summary>The newest layout.</summary>
    /// <exception cref="DbSyncException">DBS1001 when the replica is not sharded, DBS8006 when not all of its shards are here.</exception>
    public async Task<ShardLayout> ReadAsync(CancellationToken cancellationToken)
    {
        var layout = await primary.UseAsync(c => ShardMapTable.ReadNewestAsync(c, node.Replica, cancellationToken), cancellationToken)
            ?? throw new DbSyncException(ErrorCodes.InvalidOption, "The replica is not sharded.", "Set one up with 'dbsync init --shards N --shard-key TABLE=COLUMN'.");
        var nodes = await primary.ScalarAsync<long>("SELECT count(*) FROM dbsync.node WHERE replica = $1", cancellationToken, node.Replica);
        if (nodes > 1 || layout.Map.Topology.Shards.Any(m => !IsOurs(m)))
            throw NotOurs();
        return layout;
    }

    private bool IsOurs(ShardMember shard) => shard.Node.Length == 0 || shard.Node == node.Node;

    private static DbSyncException NotOurs() => new(
        ErrorCodes.NotAllHere, "Buckets are moved between the shards of one node, and this replica has others.", "'dbsync shards plan' says what would move.");

    /// <summary>Begins to move buckets to where other shards or weights want them.</summary>
    /// <exception cref="DbSyncException">DBS8007 when some are on their way, DBS8004 when somebody else was faster, DBS8006 for a shard of another node.</exception>
    public async Task<ShardLayout> BeginAsync(ShardLayout current, ShardTopology topology, CancellationToken cancellationToken)
    {
        if (current.Motion is not null)
            throw new DbSyncException(
                ErrorCodes.BucketsOnTheirWay, $"Buckets are on their way already: {Describe(current)}.",
                "'dbsync shards continue' goes on with it, 'dbsync shards settle' ends it once it is switched, 'dbsync shards rollback' takes it back.");
        if (topology.Shards.Any(s => !IsOurs(s))) throw NotOurs();
        if (topology.Shards.Length > MapPlacement.ShardsMax) throw new DbSyncException(ErrorCodes.InvalidOption, $"A node holds up to {MapPlacement.ShardsMax} shards.", "Ask for fewer.");
        var plan = ShardMapPlanner.Plan(current.Map, topology);
        var next = plan.CopiesToMove > 0 ? current.Begin(plan) : current with { Map = plan.Target };
        await InsertAsync(next, cancellationToken);
        return next;
    }

    /// <summary>Waits for the copies, compares them with the primary, and lets the new shards be read.</summary>
    /// <exception cref="DbSyncException">DBS5001 when the copies are unlike the primary; DBS8008 when no node runs.</exception>
    public async Task<ShardLayout> ContinueAsync(ShardLayout layout, CancellationToken cancellationToken)
    {
        if (layout.Motion is { Stage: MotionStage.Moving })
        {
            await UntilAsync(layout, static view => view.ArrivingTables == 0, cancellationToken);
            await CompareAsync(layout, cancellationToken);
            layout = layout.Switch();
            await InsertAsync(layout, cancellationToken);
        }
        await UntilAsync(layout, static _ => true, cancellationToken);
        return layout;
    }

    /// <summary>Ends the time in which all can be taken back: who gave buckets up deletes them.</summary>
    /// <exception cref="DbSyncException">DBS1001 when nothing was switched.</exception>
    public async Task<ShardLayout> SettleAsync(ShardLayout layout, CancellationToken cancellationToken)
    {
        if (layout.Motion is { Stage: MotionStage.Switched })
        {
            layout = layout.Settle();
            await InsertAsync(layout, cancellationToken);
        }
        else if (layout.Motion is not null)
        {
            throw new DbSyncException(ErrorCodes.InvalidOption, "The buckets are not read in their new places yet.", "'dbsync shards continue' gets them there.");
        }
        await UntilAsync(layout, static view => view.ArrivingTables == 0 && view.LeavingTables == 0, cancellationToken);
        return layout;
    }

    /// <summary>Goes back to the map that was there before.</summary>
    /// <exception cref="DbSyncException">DBS1001 when nothing is on its way.</exception>
    public async Task<ShardLayout> RollbackAsync(ShardLayout layout, CancellationToken cancellationToken)
    {
        if (layout.Motion is null)
            throw new DbSyncException(ErrorCodes.InvalidOption, "No bucket is on its way: there is nothing to take back.", "What is settled is moved back with 'dbsync shards weigh'.");
        var before = await primary.UseAsync(c => ShardMapTable.ReadAtRestAsync(c, node.Replica, cancellationToken), cancellationToken);
        return await SettleAsync(await InsertAsync(layout.Return(before!), cancellationToken), cancellationToken);
    }

    /// <summary>A layout's stage in words.</summary>
    public static string Describe(ShardLayout layout) => layout.Motion switch
    {
        { Stage: MotionStage.Moving } motion => string.Create(CultureInfo.InvariantCulture, $"{motion.Gets.Values.Sum(b => b.Count):N0} buckets are being copied"),
        { } motion => string.Create(CultureInfo.InvariantCulture, $"{motion.Gets.Values.Sum(b => b.Count):N0} buckets are read in their new shards and kept in the old ones"),
        _ => "at rest",
    };

    private async Task<ShardLayout> InsertAsync(ShardLayout layout, CancellationToken cancellationToken)
    {
        if (await primary.UseAsync(c => ShardMapTable.TryInsertAsync(c, node.Replica, layout, cancellationToken), cancellationToken)) return layout;
        throw new DbSyncException(ErrorCodes.LayoutMismatch, $"Version {layout.Version} of the shard map is there already: somebody else was faster.", "'dbsync shards list' shows what there is now.");
    }

    private async Task CompareAsync(ShardLayout layout, CancellationToken cancellationToken)
    {
        Say("comparing every bucket with the primary's");
        List<TableSchema> tables;
        using (var view = new ShardView(directory, node.Shards[0])) tables = [.. view.Tables().Select(t => t.Schema).Where(t => layout.Keys.ContainsKey(t.ReplicaName))];
        var (_, found) = await new Verifier(primary, directory, time).CompareAsync(tables, new ComparisonOptions(), _ => { }, cancellationToken);
        if (found.FirstOrDefault(t => t.Verdict.Differences > 0) is { } different)
            throw new DbSyncException(
                ErrorCodes.Diverged, $"{different.Verdict.Differences} rows of {different.Table} are unlike the primary's; nothing was switched.",
                "'dbsync verify --repair' mends them; then 'dbsync shards continue'.");
    }

    /// <summary>Waits until the node has the layout's shards, each of them the layout itself and every table, and what is asked for.</summary>
    private async Task UntilAsync(ShardLayout layout, Func<ShardView, bool> isDone, CancellationToken cancellationToken)
    {
        var wanted = layout.ShardsOn(node.Node).Select(s => s.Id.Name).ToHashSet(StringComparer.Ordinal);
        while (true)
        {
            var shards = NodeFile.Load(directory).Shards;
            var views = shards.Select(s => new ShardView(directory, s)).ToList();
            try
            {
                if (wanted.SetEquals(shards.Select(s => s.Id)) && views.TrueForAll(v => v.Layout()?.Version >= layout.Version && HasAll(v) && isDone(v))) return;
                Tell(views);
            }
            finally
            {
                foreach (var view in views) view.Dispose();
            }
            if (DataDirectory.TryLock(directory) is { } free)
            {
                free.Dispose();
                throw new DbSyncException(ErrorCodes.NoNodeMoves, "No node runs on this data directory, and only a node moves rows.", "Start 'dbsync run', then 'dbsync shards continue'.");
            }
            await Task.Delay(Interval, time, cancellationToken);
        }
    }

    private static bool HasAll(ShardView view) => view.Tables() is { Count: > 0 } tables && tables.All(t => t.State is TableState.Live or TableState.Quarantined);

    private void Tell(List<ShardView> views)
    {
        var copies = views.SelectMany(v => v.Progress(shadows: true).Concat(v.Progress().Where(t => t.State != TableState.Live))).ToList();
        var (done, all) = (copies.Sum(c => c.ChunksDone), copies.Sum(c => c.Chunks));
        if (all > 0) Say(string.Create(CultureInfo.InvariantCulture, $"copying: {done} of {all} chunks, {Units.Count(copies.Sum(c => c.Rows))} rows, {100.0 * done / all:0} %"));
        else if (views.Exists(v => v.LeavingTables > 0)) Say("deleting what was given up");
    }

    private void Say(string line)
    {
        if (line != _said) console.Say(line);
        _said = line;
    }
}
