using DbSync.Postgres;
using DbSync.Sqlite;

namespace DbSync.Hosting;

/// <summary>
/// Sets a new node up with the rows of another one, or of a backup: makes its slot first, so that everything the rows don't hold yet is in its
/// log, or is found by comparing.
/// </summary>
/// <param name="primary">The primary.</param>
/// <param name="directory">The new node's data directory.</param>
/// <param name="time">The clock.</param>
internal sealed class NodeSeed(Primary primary, string directory, TimeProvider time)
{
    private const string CopyName = ".seed";
    private static readonly TimeSpan PastSlotWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    /// <param name="origin">The node that the rows come from.</param>
    /// <param name="name">The new node's name.</param>
    /// <param name="backup">The backup; null to copy <paramref name="other"/>.</param>
    /// <param name="other">The data directory of the other node; null to use <paramref name="backup"/>.</param>
    /// <param name="say">Told what is done.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DbSyncException">DBS2010 when the name is taken, DBS3008 when it is another primary, DBS8004 when the map places no such
    /// shards on a node of this name, and what <see cref="Restorer"/> throws.</exception>
    public async Task<NodeFile> RunAsync(NodeFile origin, string name, string? backup, string? other, Action<string> say, CancellationToken cancellationToken)
    {
        if (NodeFile.TryLoad(directory) is { } here)
            throw new DbSyncException(ErrorCodes.IdentityMismatch, $"The data directory belongs to node '{here.Node}' of replica '{here.Replica}'.", "Seed a new node into an empty directory.");
        await CheckAsync(origin, name, cancellationToken);
        var slot = ReplicaNames.Slot(origin.Replica, name);
        await primary.ExecuteAsync(SetupSql.Node(name, origin.Replica, slot, origin.Publication), cancellationToken);
        var made = await new SlotKeeper(primary, name, slot).MakeAsync(keep: false, cancellationToken);
        say($"The slot {slot} is made at {made.Start}.");
        DataDirectory.Create(directory);
        var copy = Path.Combine(directory, CopyName);
        try
        {
            if (other is not null)
            {
                await PastAsync(other, origin, made.Start, cancellationToken);
                (backup, _, _) = await new BackupWriter(other, time).WriteAsync(copy, null, cancellationToken);
            }
            return await new Restorer(directory, time).RestoreAsync(
                backup!,
                manifest => manifest.Node with
                {
                    Node = name, Slot = slot, StartLsn = made.Start.ToString(), SystemIdentifier = made.SystemIdentifier, Timeline = made.Timeline,
                    MendLsn = Lsn.Parse(manifest.Lsn) < made.Start ? made.Start.ToString() : null,
                },
                replaces: false, cancellationToken);
        }
        catch
        {
            await new SlotKeeper(primary, name, slot).GiveUpAsync(CancellationToken.None); // nobody would follow it
            await primary.ExecuteAsync("DELETE FROM dbsync.node WHERE name = $1", CancellationToken.None, name);
            throw;
        }
        finally
        {
            if (Directory.Exists(copy)) Directory.Delete(copy, recursive: true);
        }
    }

    private async Task CheckAsync(NodeFile origin, string name, CancellationToken cancellationToken)
    {
        var server = await primary.UseAsync(c => ServerIdentity.ReadAsync(c, cancellationToken), cancellationToken);
        if ((server.SystemIdentifier, server.Database) != (origin.SystemIdentifier, origin.Database))
            throw new DbSyncException(ErrorCodes.PrimaryChanged, "The rows come from another PostgreSQL cluster or database than the connection leads to.", "Check the connection string.");
        if (await primary.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM dbsync.node WHERE name = $1)", cancellationToken, name))
            throw new DbSyncException(ErrorCodes.NodeExists, $"Node '{name}' exists already.", "Choose another --node.");
        if (await primary.UseAsync(c => ShardMapTable.ReadNewestAsync(c, origin.Replica, cancellationToken), cancellationToken) is not { } layout) return;
        var shards = layout.ShardsOn(name).Select(s => s.Id.Name).ToHashSet(StringComparer.Ordinal);
        if (!shards.SetEquals(origin.Shards.Select(s => s.Id)))
            throw new DbSyncException(ErrorCodes.LayoutMismatch, $"By the shard map, node '{name}' holds other shards than the rows come from.", "Set it up with 'dbsync init', which copies from the primary.");
    }

    /// <summary>Waits until the other node is past the slot's beginning: then nothing has to be compared. One that does not run is taken as it is.</summary>
    private async Task PastAsync(string other, NodeFile origin, Lsn start, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (time.GetElapsedTime(started) < PastSlotWithin)
        {
            var positions = new List<Lsn>();
            foreach (var shard in origin.Shards)
            {
                using var view = new ShardView(other, shard);
                positions.Add(view.Position);
            }
            if (positions.Min() >= start) return;
            if (DataDirectory.TryLock(other) is { } free)
            {
                free.Dispose();
                return;
            }
            await Task.Delay(Interval, time, cancellationToken);
        }
    }
}
