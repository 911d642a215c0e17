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

    /// <summary>After how long a file that could not be read, without being damaged, is tried again.</summary>
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(10);
    private static readonly ConcurrentDictionary<string, ReplicaDirectory> Directories = new(StringComparer.Ordinal);

    private readonly string _path;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Stack<ReplicaConnection>> _idle = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (CatalogFingerprint Fingerprint, ReplicaCatalog Catalog)> _catalogs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _aside = new(StringComparer.Ordinal);
    private Look? _look;
    private ShardLayout? _layout;
    private bool _layoutIsKnown;
    private (ShardLayout Layout, NodeFile Node, bool IsHere)? _whole;

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
            if (node is not null && node != _look?.Node) Forget(node);
            _look = new Look(now, written, node);
            return node;
        }
    }

    /// <summary>Takes a connection to the shards, as one; null when there is no replica yet, or too many shards.</summary>
    /// <exception cref="DbSyncException">DBS4004 when the file can't be read, DBS1004 when <c>node.json</c> is damaged.</exception>
    /// <param name="shard">The place of the only shard to be read; null for all.</param>
    public ReplicaConnection? Take(int? shard = null)
    {
        if (Node is not { } node) return null;
        IReadOnlyList<NodeFile.Shard> shards = shard is { } place ? [node.Shards[place]] : node.Shards;
        if (shards.Count > ShardUnion.ShardsMax) return null;
        var files = FilesOf(shards);
        lock (_gate)
        {
            if (_aside.Count > 0 && IsAside(shards, files)) return null;
            if (_idle.TryGetValue(files, out var idle) && idle.TryPop(out var kept)) return kept;
        }
        if (!AreThere(shards))
        {
            _look = null; // copied anew into other files and deleted, or not made yet
            if (Node is not { } now || now.Shards.Count != node.Shards.Count) return null;
            node = now;
            shards = shard is { } same ? [node.Shards[same]] : node.Shards;
            files = FilesOf(shards);
            if (!AreThere(shards)) return null;
        }
        var connections = new ReplicaConnections(_path, static address => new ReusingConnection(address));
        var connection = shards.Count == 1 ? connections.Open(node, shards[0].Id) : connections.OpenAll(node);
        try
        {
            return new ReplicaConnection(this, files, shards.Count, connection)
            {
                Shard = node.Shards.Count > 1 ? shard : null,
                Detail = shard is { } only && node.Shards.Count > 1 ? $"in shard {node.Shards[only].Id}" : "",
            };
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Whether some files are not read, since they failed.</summary>
    public bool HasSetAside
    {
        get
        {
            lock (_gate) return _aside.Count > 0;
        }
    }

    /// <summary>Reads shard files no more: damaged ones until the node names others in their place (a name is never used twice), else for a while.</summary>
    public void SetAside(string files, bool isDamaged)
    {
        lock (_gate) _aside[files] = isDamaged ? long.MaxValue : Environment.TickCount64 + (long)TryAgainAfter.TotalMilliseconds;
        CloseIdle();
    }

    /// <summary>Closes the connections that nobody uses.</summary>
    public void CloseIdle()
    {
        List<ReplicaConnection> idle;
        lock (_gate)
        {
            idle = [.. _idle.Values.SelectMany(i => i)];
            _idle.Clear();
        }
        foreach (var connection in idle) Close(connection);
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
            if (!_idle.TryGetValue(connection.Files, out var idle)) _idle.Add(connection.Files, idle = new Stack<ReplicaConnection>());
            if (healthy && idle.Count < IdleMax && !_aside.ContainsKey(connection.Files) && _look is { Node: { } node } && IsOf(connection.Files, node))
            {
                idle.Push(connection);
                return;
            }
        }
        Close(connection);
    }

    /// <summary>The newest shard layout that a connection has seen, asked of a shard the first time; null for a replica that is not sharded.</summary>
    public ShardLayout? Layout
    {
        get
        {
            if (_layoutIsKnown || Take(shard: 0) is not { } connection) return _layout;
            var healthy = false;
            try
            {
                connection.Begin();
                healthy = _layoutIsKnown = true;
            }
            finally
            {
                Return(connection, healthy);
            }
            return _layout;
        }
    }

    /// <summary>Whether this node holds all rows by a layout.</summary>
    public bool HoldsAll(ShardLayout layout, NodeFile node)
    {
        if (_whole is { } known && ReferenceEquals(known.Layout, layout) && ReferenceEquals(known.Node, node)) return known.IsHere;
        var here = layout.IsHeldBy(node.Shards.Select(s => s.Id));
        _whole = (layout, node, here);
        return here;
    }

    /// <summary>The catalog behind a fingerprint, one object for all connections that see the same.</summary>
    public ReplicaCatalog CatalogOf(CatalogFingerprint fingerprint, Func<ReplicaCatalog> load)
    {
        lock (_gate)
        {
            if (_catalogs.TryGetValue(fingerprint.File, out var known) && known.Fingerprint == fingerprint) return known.Catalog;
        }
        var loaded = load();
        lock (_gate)
        {
            _catalogs[fingerprint.File] = (fingerprint, loaded);
            if (loaded.Layout is { } layout && layout.Version >= (_layout?.Version ?? 0)) _layout = layout;
        }
        return loaded;
    }

    private static void Close(ReplicaConnection connection)
    {
        try
        {
            connection.Dispose();
        }
        catch (SqliteException)
        {
            // It is closed as far as it can be.
        }
    }

    /// <summary>True when one of the shards is, or all of them were read together when it failed.</summary>
    private bool IsAside(IReadOnlyList<NodeFile.Shard> shards, string files)
    {
        foreach (var (late, _) in _aside.Where(a => a.Value <= Environment.TickCount64).ToList()) _aside.Remove(late);
        return _aside.ContainsKey(files) || shards.Any(s => _aside.ContainsKey(s.File));
    }

    private bool AreThere(IReadOnlyList<NodeFile.Shard> shards) => shards.All(s => File.Exists(Path.Combine(_path, s.File)));

    private static string FilesOf(IReadOnlyList<NodeFile.Shard> shards) => shards.Count == 1 ? shards[0].File : string.Join('|', shards.Select(s => s.File));

    private static bool IsOf(string files, NodeFile node) => node.Shards.Any(s => s.File == files) || FilesOf(node.Shards) == files;

    /// <summary>The replica was copied anew into other files: closes what reads the old ones.</summary>
    private void Forget(NodeFile node)
    {
        List<ReplicaConnection> gone = [];
        lock (_gate)
        {
            foreach (var files in _idle.Keys.Where(k => !IsOf(k, node)).ToList())
            {
                gone.AddRange(_idle[files]);
                _idle.Remove(files);
                _catalogs.Remove(files);
            }
            foreach (var files in _aside.Keys.Where(k => !IsOf(k, node)).ToList()) _aside.Remove(files);
        }
        foreach (var connection in gone) Close(connection);
    }

    private sealed record Look(long At, DateTime Written, NodeFile? Node);
}
