using System.Globalization;
using DbSync.Postgres;
using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace DbSync.Benchmarks.Replication;

/// <summary>A DbSync node with one shard in this process, and a second SQLite connection that looks at the shard from outside.</summary>
internal sealed class ReplicaNode : IAsyncDisposable
{
    public const string Publication = "dbsync_main";

    private static int made;
    private readonly TemporaryDirectory _directory = new();
    private readonly PrimaryOptions _options;
    private CancellationTokenSource? _stop;
    private Task? _running;

    private ReplicaNode(PrimaryOptions options) => _options = options;

    public string Slot => _options.Slot;

    public string ShardPath => _directory["s0.1.db"];

    /// <summary>The running node, or the one that ran last.</summary>
    public SyncNode Node { get; private set; } = null!;

    /// <summary>Installs what DbSync needs in a database and publishes <paramref name="tables"/> to it and to a native subscription.</summary>
    public static async Task PublishAsync(string connectionString, string tables, CancellationToken cancellationToken)
    {
        await using var primary = new Primary(connectionString);
        await new ControlSchema(primary).UpgradeAsync(cancellationToken);
        await Clusters.RunAsync(
            connectionString,
            $"CREATE PUBLICATION {NativeSubscription.Publication} FOR TABLE {tables};"
            + $"CREATE PUBLICATION {Publication} FOR TABLE {tables}, dbsync.heartbeat, dbsync.verification",
            cancellationToken);
    }

    /// <summary>Makes a slot and an empty data directory.</summary>
    public static async Task<ReplicaNode> CreateAsync(string connectionString, CancellationToken cancellationToken)
    {
        var slot = string.Create(CultureInfo.InvariantCulture, $"bench_{Interlocked.Increment(ref made)}");
        await using var primary = new Primary(connectionString);
        var start = await new ReplicationSlot(primary, slot).CreateAsync(cancellationToken);
        return new ReplicaNode(
            new PrimaryOptions { ConnectionString = connectionString, Publication = Publication, Slot = slot, StartPosition = start });
    }

    public void Run()
    {
        var identity = new NodeFile("main", "bench", Slot, Publication, "", "", [new NodeFile.Shard("s0", "s0.1.db")]);
        var source = new PostgresSource(_options, TimeProvider.System);
        var directory = DataDirectory.Lock(_directory.Path);
        Node = new SyncNode(
            directory, identity, source, source, new ReplicaStore(_directory.Path, identity),
            new ControlPlane(source.Primary, Slot, TimeProvider.System), new NodeOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        _stop = new CancellationTokenSource();
        var (node, stop) = (Node, _stop.Token);
        _running = Task.Run(
            async () =>
            {
                using (directory)
                await using (node)
                    await node.RunAsync(stop);
            },
            CancellationToken.None);
    }

    public async Task StopAsync()
    {
        if (_running is not { } running) return;
        _running = null;
        await _stop!.CancelAsync();
        await running;
        _stop.Dispose();
    }

    /// <summary>Returns once a query on a second connection to the shard gives a number above zero.</summary>
    public async Task UntilAsync(string sql, CancellationToken cancellationToken)
    {
        using var database = Look();
        using var statement = database.Prepare(sql);
        await Poll.UntilAsync(() => HasCome(statement), cancellationToken);
    }

    /// <summary>Returns once no table is left to copy.</summary>
    public async Task UntilCopiedAsync(int tables, CancellationToken cancellationToken)
    {
        await Poll.UntilAsync(() => HasEnded() || File.Exists(ShardPath), cancellationToken);
        var sql = string.Create(CultureInfo.InvariantCulture, $"SELECT count(*) = {tables} AND min(state) = 3 FROM \"dbsync.table\"");
        await Poll.UntilAsync(() => HasEnded() || HasTables(), cancellationToken);
        await UntilAsync(sql, cancellationToken);
    }

    public SqliteDatabase Look() => new(ShardPath, "shard");

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await using (var primary = new Primary(_options.ConnectionString))
            await primary.ExecuteAsync("SELECT pg_catalog.pg_drop_replication_slot($1)", CancellationToken.None, Slot);
        _directory.Dispose();
    }

    private bool HasTables()
    {
        using var database = Look();
        return database.QueryInteger("SELECT count(*) FROM sqlite_schema WHERE name = 'dbsync.table'") > 0;
    }

    private bool HasCome(SqliteStatement statement)
    {
        HasEnded();
        if (!statement.Step()) return false;
        var found = statement.Integer(0) > 0;
        statement.Reset();
        return found;
    }

    /// <summary>False while the node runs; throws what ended it.</summary>
    private bool HasEnded()
    {
        if (_running is { IsFaulted: true } failed) throw failed.Exception.InnerException ?? failed.Exception;
        return false;
    }
}
