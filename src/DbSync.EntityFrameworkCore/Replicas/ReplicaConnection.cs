using System.Globalization;
using System.Text;
using DbSync.Sqlite;
using Microsoft.Data.Sqlite;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>
/// An open connection to the node's shards, kept ready: collations and functions are registered once. One query at a time uses it; everything between
/// <see cref="Begin"/> and <see cref="End"/> reads one position.
/// </summary>
internal sealed class ReplicaConnection : IDisposable
{
    private const string BeatSql =
        """
        SELECT max(beat_at), (SELECT rights FROM "dbsync.heartbeat" WHERE rights IS NOT NULL ORDER BY beat_at DESC LIMIT 1) FROM "dbsync.heartbeat"
        """;

    private readonly ReplicaDirectory _directory;
    private readonly NativeStatements _statements;
    private readonly NativeStatement _begin;
    private readonly NativeStatement _commit;
    private readonly NativeStatement? _agreement;
    private readonly NativeStatement[] _versions;
    private readonly NativeStatement[] _schemaVersions;
    private readonly int _shards;
    private readonly NativeStatement _head;
    private readonly NativeStatement _live;
    private const int AttemptsMax = 200;
    private NativeStatement? _beat;
    private long _seen = -1;
    private long _viewsOf = -1;
    private ReplicaSnapshot? _snapshot;

    public ReplicaConnection(ReplicaDirectory directory, string files, int shards, SqliteConnection connection)
    {
        (_directory, Files, Connection, _shards) = (directory, files, connection, shards);
        ReplicaFunctions.Register(connection);
        _statements = new NativeStatements(connection);
        _begin = _statements.Prepare("BEGIN");
        _commit = _statements.Prepare("COMMIT");
        _versions = [.. Enumerable.Range(0, shards).Select(s => _statements.Prepare($"PRAGMA {ShardUnion.NameOf(s)}.data_version"))];
        _schemaVersions = [.. Enumerable.Range(0, shards).Select(s => _statements.Prepare($"PRAGMA {ShardUnion.NameOf(s)}.schema_version"))];
        _agreement = shards == 1 ? null : _statements.Prepare(ShardUnion.AgreementSql(shards));
        _head = _statements.Prepare(
            "SELECT applied_lsn, (SELECT count(*) FROM \"dbsync.primary_only\"), (SELECT total(length(labels)) FROM \"dbsync.enum\"), "
            + "(SELECT total(version) FROM \"dbsync.layout\"), schema_changes FROM \"dbsync.shard\"");
        _live = _statements.Prepare("SELECT total(state) FROM \"dbsync.table\" WHERE oid < 4294967296");
    }

    public SqliteConnection Connection { get; }

    /// <summary>The place of the only shard that it reads, of several; null when it reads all there are.</summary>
    public int? Shard { get; init; }

    /// <summary>What a route says of it: which shard it reads, of several; empty for all.</summary>
    public string Detail { get; init; } = "";

    /// <summary>The shard files it reads.</summary>
    public string Files { get; }

    /// <summary>Opens the snapshot; the same object as before when nothing was committed since.</summary>
    public ReplicaSnapshot Begin()
    {
        BeginTogether();
        try
        {
            var version = Sum(_versions);
            if (version == _seen && _snapshot is not null) return _snapshot;
            var snapshot = Look();
            (_seen, _snapshot) = (version, snapshot);
            return snapshot;
        }
        catch
        {
            End();
            throw;
        }
    }

    public void End()
    {
        if (SQLitePCL.raw.sqlite3_get_autocommit(Connection.Handle) == 0) _commit.Run();
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _begin, _commit, _agreement, _head, _live, _beat }.Concat(_versions).Concat(_schemaVersions)) statement?.Dispose();
        Connection.Dispose();
    }

    /// <summary>Opens the snapshots of all shards at one position.</summary>
    /// <exception cref="DbSyncException">DBS8005 when they don't come to one.</exception>
    private void BeginTogether()
    {
        var spin = default(SpinWait);
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            _begin.Run();
            if (_agreement is null || _agreement.Single() == 1) return;
            End();
            spin.SpinOnce();
        }
        throw ShardUnion.NoAgreement();
    }

    /// <summary>Changes whenever one of them does: each only grows while a connection is open.</summary>
    private static long Sum(NativeStatement[] counters)
    {
        var sum = 0L;
        foreach (var counter in counters) sum += counter.Single();
        return sum;
    }

    private ReplicaSnapshot Look()
    {
        var schema = Sum(_schemaVersions);
        if (!_head.Step()) return new ReplicaSnapshot(Lsn.Zero, null, ReplicaCatalog.Load(_statements));
        var (position, marks, labels, layout, changes) = (new Lsn((ulong)_head.Integer(0)), _head.Integer(1), _head.Integer(2), _head.Integer(3), _head.Integer(4));
        _head.Reset();
        if (_shards > 1 && _viewsOf != schema + layout)
        {
            ShardUnion.CreateViews(Connection, _shards);
            _viewsOf = schema + layout;
        }
        var catalog = _snapshot?.Catalog;
        var states = catalog is { AreAllLive: true } ? -1 : _live.Single();
        var fingerprint = new CatalogFingerprint(Files, schema, marks, labels, states, layout, changes);
        if (catalog is null || _snapshot!.Fingerprint != fingerprint)
        {
            catalog = _directory.CatalogOf(fingerprint, () => ReplicaCatalog.Load(_statements));
            if (catalog.AreAllLive) fingerprint = fingerprint with { States = -1 };
            foreach (var (name, order) in Enums()) SqliteCollations.RegisterEnum(Connection.Handle!.DangerousGetHandle(), name, order);
            _beat?.Dispose();
            _beat = catalog.Find("dbsync.heartbeat") is { State: TableState.Live } beats && beats.Columns.ContainsKey("rights") ? _statements.Prepare(BeatSql) : null;
        }
        var (beatAt, rights) = Beat();
        return new ReplicaSnapshot(position, beatAt, catalog) { Fingerprint = fingerprint, Rights = rights };
    }

    private (DateTimeOffset? At, long? Rights) Beat()
    {
        if (_beat is null || !_beat.Step()) return default;
        Span<char> text = stackalloc char[64];
        var bytes = _beat.Bytes(0);
        DateTimeOffset? at = bytes.Length is > 0 and < 64
            && DateTimeOffset.TryParse(text[..Encoding.ASCII.GetChars(bytes, text)], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var parsed)
                ? parsed
                : null;
        long? rights = _beat.IsNull(1) ? null : _beat.Integer(1);
        _beat.Reset();
        return (at, rights);
    }

    private List<(string Name, string[] Labels)> Enums()
    {
        var enums = new List<(string, string[])>();
        using var rows = _statements.Prepare("SELECT collation, labels FROM \"dbsync.enum\"");
        while (rows.Step()) enums.Add((rows.Text(0), System.Text.Json.JsonSerializer.Deserialize<string[]>(rows.Bytes(1))!));
        return enums;
    }
}

/// <summary>What a connection reads between begin and end.</summary>
/// <param name="Position">The position of the primary's log that the rows belong to.</param>
/// <param name="BeatAt">The primary's clock at the newest heartbeat that is visible; null when none is.</param>
/// <param name="Catalog">The tables.</param>
internal sealed record ReplicaSnapshot(Lsn Position, DateTimeOffset? BeatAt, ReplicaCatalog Catalog)
{
    public CatalogFingerprint Fingerprint { get; init; }

    /// <summary>A sign of who may see what on the primary, as of the newest heartbeat; null when it has none.</summary>
    public long? Rights { get; init; }
}

/// <summary>Changes whenever a catalog does: DDL, a mark, an enum's labels, the state of a table that is being copied.</summary>
internal readonly record struct CatalogFingerprint(string File, long Schema, long Marks, long Labels, long States, long Layout, long Changes);
