using DbSync.Postgres;
using DbSync.Sqlite;
using Microsoft.Extensions.Logging;

namespace DbSync.Cli.Running;

/// <summary>A node in this process: the data directory's identity, the primary, the shards, and the engine over them.</summary>
internal sealed class NodeHost : IAsyncDisposable
{
    private readonly DataDirectory _directory;
    private readonly PostgresSource _source;

    private NodeHost(DataDirectory directory, NodeFile identity, PostgresSource source, SyncNode node)
    {
        (_directory, _source) = (directory, source);
        (Identity, Node) = (identity, node);
    }

    public NodeFile Identity { get; }

    public SyncNode Node { get; }

    public Primary Primary => _source.Primary;

    /// <summary>Takes the data directory and opens its shards.</summary>
    /// <param name="settings">Where everything is.</param>
    /// <param name="directory">The directory, locked; the host owns it from here on.</param>
    /// <param name="loggers">Where the engine logs.</param>
    /// <exception cref="DbSyncException">DBS1002 not set up, DBS1004 another replica's or node's directory, and what opening the shards throws.</exception>
    public static NodeHost Open(ToolSettings settings, DataDirectory directory, ILoggerFactory loggers)
    {
        try
        {
            var identity = LoadIdentity(settings);
            var defaults = new PrimaryOptions { ConnectionString = settings.Primary };
            var source = new PostgresSource(
                defaults with
                {
                    Publication = identity.Publication,
                    Slot = identity.Slot,
                    StartPosition = identity.StartPosition,
                    SpillDirectory = Path.Combine(settings.Data, "spill"),
                    SpillBytesMax = settings.SpillBytesMax ?? defaults.SpillBytesMax,
                },
                TimeProvider.System) { SystemIdentifier = identity.SystemIdentifier };
            var store = new ReplicaStore(settings.Data, identity);
            var control = new ControlPlane(source.Primary, identity.Slot, TimeProvider.System);
            return new NodeHost(
                directory, identity, source,
                new SyncNode(directory, identity, source, source, store, control, new NodeOptions(), TimeProvider.System, loggers));
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

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        _directory.Dispose();
    }
}
