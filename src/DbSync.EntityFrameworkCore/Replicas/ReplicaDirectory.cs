using System.Collections.Concurrent;
using DbSync.Sqlite;
using Microsoft.Data.Sqlite;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>A node's data directory as the readers of this process see it: which file is current, and open connections to it.</summary>
internal sealed class ReplicaDirectory
{
    /// <summary>How many connections are kept open while nobody uses them.</summary>
    private const int IdleMax = 32;

    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);
    private static readonly ConcurrentDictionary<string, ReplicaDirectory> Directories = new(StringComparer.Ordinal);

    private readonly string _path;
    private readonly Lock _gate = new();
    private readonly Stack<ReplicaConnection> _idle = new();
    private (CatalogFingerprint Fingerprint, ReplicaCatalog Catalog)? _catalog;
    private Look? _look;

    private ReplicaDirectory(string path) => _path = path;

    /// <summary>The directory; one object per process.</summary>
    public static ReplicaDirectory For(string path) => Directories.GetOrAdd(path, p => new ReplicaDirectory(p));

    /// <summary>The node's identity; null while there is none.</summary>
    /// <exception cref="DbSyncException">DBS1004 when <c>node.json</c> is damaged.</exception>
    public NodeFile? Node
    {
        get
        {
            var now = Environment.TickCount64;
            if (_look is { } look && now - look.At < LookInterval.TotalMilliseconds) return look.Node;
            var path = Path.Combine(_path, NodeFile.FileName);
            var written = File.GetLastWriteTimeUtc(path);
            var node = _look is { } before && before.Written == written ? before.Node : NodeFile.TryLoad(_path);
            _look = new Look(now, written, node);
            return node;
        }
    }

    /// <summary>Takes a connection to the shard; null when there is no replica yet.</summary>
    /// <exception cref="DbSyncException">DBS4004 when the file can't be read, DBS1004 when <c>node.json</c> is damaged.</exception>
    public ReplicaConnection? Take()
    {
        if (Node is not { } node) return null;
        var shard = node.Shards[0];
        while (true)
        {
            ReplicaConnection? idle;
            lock (_gate) _idle.TryPop(out idle);
            if (idle is null) break;
            if (idle.File == shard.File) return idle;
            idle.Dispose(); // the replica was copied anew into another file
        }
        if (!File.Exists(Path.Combine(_path, shard.File)))
        {
            _look = null; // copied anew into another file and deleted, or not made yet
            if (Node is not { } now || now.Shards[0].File == shard.File) return null;
            (node, shard) = (now, now.Shards[0]);
        }
        var connection = new ReplicaConnections(_path).Open(node, shard.Id);
        try
        {
            return new ReplicaConnection(this, shard.File, connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Gives a connection back. One that failed is closed.</summary>
    public void Return(ReplicaConnection connection, bool healthy)
    {
        if (healthy)
        {
            try
            {
                connection.End();
            }
            catch (DbSyncException)
            {
                healthy = false;
            }
        }
        lock (_gate)
        {
            if (healthy && _idle.Count < IdleMax)
            {
                _idle.Push(connection);
                return;
            }
        }
        try
        {
            connection.Dispose();
        }
        catch (SqliteException)
        {
            // It is closed as far as it can be.
        }
    }

    /// <summary>The catalog behind a fingerprint, one object for all connections that see the same.</summary>
    public ReplicaCatalog CatalogOf(CatalogFingerprint fingerprint, Func<ReplicaCatalog> load)
    {
        lock (_gate)
        {
            if (_catalog is { } known && known.Fingerprint == fingerprint) return known.Catalog;
        }
        var loaded = load();
        lock (_gate) _catalog = (fingerprint, loaded);
        return loaded;
    }

    private sealed record Look(long At, DateTime Written, NodeFile? Node);
}
