using DbSync.Postgres;
using DbSync.Sqlite;
using Microsoft.Extensions.Logging;

namespace DbSync.Hosting;

/// <summary>A node in this process: the data directory's identity, the primary, the shards, and the engine over them.</summary>
internal sealed class NodeHost : INodeFactory, IAsyncDisposable
{
    private readonly NodePlace _place;
    private readonly DataDirectory _directory;
    private readonly HostOptions _options;
    private readonly ILoggerFactory _loggers;
    private readonly ReseedJournal _journal;

    private NodeHost(NodePlace place, DataDirectory directory, NodeFile identity, HostOptions options, ILoggerFactory loggers)
    {
        (_place, _directory, _options, _loggers) = (place, directory, options, loggers);
        Primary = new Primary(place.Primary);
        Slot = new SlotKeeper(Primary, identity.Node, identity.Slot);
        _journal = new ReseedJournal(directory.Path, identity, TimeProvider.System);
        Keeper = new NodeKeeper(_journal, this, options.Reseed, TimeProvider.System, loggers.CreateLogger<NodeKeeper>());
    }

    public NodeKeeper Keeper { get; }

    public Primary Primary { get; }

    public ISlotKeeper Slot { get; }

    /// <summary>Takes the data directory.</summary>
    /// <param name="place">Where everything is.</param>
    /// <param name="directory">The directory, locked; the host owns it from here on.</param>
    /// <param name="options">The limits.</param>
    /// <param name="loggers">Where the engine logs.</param>
    /// <exception cref="DbSyncException">DBS1002 not set up, DBS1004 another replica's or node's directory.</exception>
    public static NodeHost Open(NodePlace place, DataDirectory directory, HostOptions options, ILoggerFactory loggers)
    {
        try
        {
            return new NodeHost(place, directory, NodeFile.Load(place.DataDirectory, place.Replica, place.Node), options, loggers);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>A node over the files that readers use, without its keeper.</summary>
    public SyncNode CreateNode() => Create(_journal.Identity, _journal.FollowTimeline);

    public SyncNode Create(NodeFile node, Action<uint> timelineFollowed)
    {
        var defaults = new PrimaryOptions { ConnectionString = _place.Primary };
        var source = new PostgresSource(
            defaults with
            {
                Publication = node.Publication,
                Slot = node.Slot,
                StartPosition = node.StartPosition,
                SpillDirectory = Path.Combine(_place.DataDirectory, SpillDirectory.FolderName),
                SpillBytesMax = _place.SpillBytesMax ?? defaults.SpillBytesMax,
            },
            TimeProvider.System) { SystemIdentifier = node.SystemIdentifier, Timeline = new TimelineGuard(node.Timeline, timelineFollowed) };
        var control = new ControlPlane(source.Primary, node.Slot, TimeProvider.System);
        return new SyncNode(_directory, node, source, source, new ReplicaStore(_place.DataDirectory, node), control, _options.Node, TimeProvider.System, _loggers);
    }

    public async Task<IReadOnlyList<TableDamage>> CompareAsync(IReadOnlyList<TableSchema> tables, double share, CancellationToken cancellationToken)
    {
        var (_, found) = await new Verifier(Primary, _directory.Path, TimeProvider.System).CompareAsync(tables, new ComparisonOptions { Share = share }, _ => { }, cancellationToken);
        return [.. found.Where(t => t.Verdict.Differences > 0).Select(t => new TableDamage(t.Table, t.Damage, t.IsWhole))];
    }

    public (Lsn Position, ShardLayout Layout)? PlaceOf(NodeFile node)
    {
        (Lsn Position, ShardLayout Layout)? lowest = null;
        foreach (var shard in node.Shards)
        {
            if (!File.Exists(Path.Combine(_directory.Path, shard.File))) return null;
            using var view = new ShardView(_directory.Path, shard);
            if (view.Layout() is not { } layout) return null;
            if (lowest is null || view.Position < lowest.Value.Position) lowest = (view.Position, layout);
        }
        return lowest;
    }

    public void CreateShard(NodeFile node, NodeFile.Shard shard, Lsn position, ShardLayout layout) => ClosedFile.CreateAt(
        Path.Combine(_directory.Path, shard.File), new ShardIdentity(node.Replica, node.Node, new ShardId(shard.Id)), position, layout);

    public bool TryDelete(string file) => OldFile.TryDelete(Path.Combine(_directory.Path, file));

    public async ValueTask DisposeAsync()
    {
        await Primary.DisposeAsync();
        _directory.Dispose();
    }
}
