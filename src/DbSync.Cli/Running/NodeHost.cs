using DbSync.Postgres;
using DbSync.Sqlite;
using Microsoft.Extensions.Logging;

namespace DbSync.Cli.Running;

/// <summary>A node in this process: the data directory's identity, the primary, the shards, and the engine over them.</summary>
internal sealed class NodeHost : INodeFactory, IAsyncDisposable
{
    private readonly DataDirectory _directory;
    private readonly ToolSettings _settings;
    private readonly NodeOptions _options;
    private readonly ILoggerFactory _loggers;
    private readonly ReseedJournal _journal;

    private NodeHost(ToolSettings settings, DataDirectory directory, NodeFile identity, HostOptions options, ILoggerFactory loggers)
    {
        (_settings, _directory, _options, _loggers) = (settings, directory, options.Node, loggers);
        Primary = new Primary(settings.Primary);
        Slot = new SlotKeeper(Primary, identity.Node, identity.Slot);
        _journal = new ReseedJournal(directory.Path, identity, TimeProvider.System);
        Keeper = new NodeKeeper(_journal, this, options.Reseed, TimeProvider.System, loggers.CreateLogger<NodeKeeper>());
    }

    public NodeKeeper Keeper { get; }

    public Primary Primary { get; }

    public ISlotKeeper Slot { get; }

    /// <summary>Takes the data directory.</summary>
    /// <param name="settings">Where everything is.</param>
    /// <param name="directory">The directory, locked; the host owns it from here on.</param>
    /// <param name="options">The limits.</param>
    /// <param name="loggers">Where the engine logs.</param>
    /// <exception cref="DbSyncException">DBS1002 not set up, DBS1004 another replica's or node's directory.</exception>
    public static NodeHost Open(ToolSettings settings, DataDirectory directory, HostOptions options, ILoggerFactory loggers)
    {
        try
        {
            return new NodeHost(settings, directory, LoadIdentity(settings), options, loggers);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>The directory's identity, checked against what was asked for.</summary>
    /// <exception cref="DbSyncException">DBS1002 not set up, DBS1004 another replica's or node's directory.</exception>
    public static NodeFile LoadIdentity(ToolSettings settings)
    {
        var identity = NodeFile.Load(settings.Data);
        if ((settings.TryReplica ?? identity.Replica) != identity.Replica || (settings.Node ?? identity.Node) != identity.Node)
            throw new DbSyncException(
                ErrorCodes.IdentityMismatch, $"The data directory belongs to node '{identity.Node}' of replica '{identity.Replica}'.",
                "Leave --replica and --node out, or use another --data.");
        return identity;
    }

    /// <summary>A node over the files that readers use, without its keeper.</summary>
    public SyncNode CreateNode() => Create(_journal.Identity, _journal.FollowTimeline);

    public SyncNode Create(NodeFile node, Action<uint> timelineFollowed)
    {
        var defaults = new PrimaryOptions { ConnectionString = _settings.Primary };
        var source = new PostgresSource(
            defaults with
            {
                Publication = node.Publication,
                Slot = node.Slot,
                StartPosition = node.StartPosition,
                SpillDirectory = Path.Combine(_settings.Data, "spill"),
                SpillBytesMax = _settings.SpillBytesMax ?? defaults.SpillBytesMax,
            },
            TimeProvider.System) { SystemIdentifier = node.SystemIdentifier, Timeline = new TimelineGuard(node.Timeline, timelineFollowed) };
        var control = new ControlPlane(source.Primary, node.Slot, TimeProvider.System);
        return new SyncNode(_directory, node, source, source, new ReplicaStore(_settings.Data, node), control, _options, TimeProvider.System, _loggers);
    }

    public bool TryDelete(string file) => OldFile.TryDelete(Path.Combine(_directory.Path, file));

    public async ValueTask DisposeAsync()
    {
        await Primary.DisposeAsync();
        _directory.Dispose();
    }
}

/// <summary>What a host's node keeps to.</summary>
internal sealed record HostOptions
{
    public NodeOptions Node { get; init; } = new();

    public ReseedOptions Reseed { get; init; } = new();
}
