using DbSync.Postgres;
using DbSync.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace DbSync.Testing;

/// <summary>
/// A node that runs in the test's own process, on a database of its own: publication, slot and data directory are made here, and go at
/// the end.
/// </summary>
public sealed class NodeUnderTest : IAsyncDisposable
{
    private const string Publication = "dbsync_main";
    private static int made;
    private readonly TemporaryDirectory _directory = new();
    private readonly string _unpooled; // so that a server that was torn down in between is met by no statement of the test
    private CancellationTokenSource? _stop;
    private Task? _running;

    private NodeUnderTest(string connectionString, int shards, int elsewhere = 0)
    {
        ConnectionString = connectionString;
        _unpooled = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString;
        Slot = $"dbsync_test_{Environment.ProcessId}_{Interlocked.Increment(ref made)}";
        (Shards, Elsewhere) = (shards, elsewhere);
    }

    public string ConnectionString { get; }

    public string Slot { get; }

    public string DataPath => _directory.Path;

    internal SyncNode Node { get; private set; } = null!;

    internal NodeOptions Options { get; set; } = new();

    /// <summary>From how much log on a backlog is read through SQL, and in what pieces, in bytes; null for the defaults.</summary>
    public (long Least, long Piece)? Backlog { get; set; }

    /// <summary>The most log that one piece of a backlog may have to go through, in bytes.</summary>
    public long BacklogDecodedBytesMax { get; set; } = 512L << 20;

    /// <summary>The largest value and row that the shards take, in bytes; SQLite's own limit unless set.</summary>
    public int? ValueBytesMax { get; set; }

    /// <summary>What may wait on disk of transactions that have not ended, in bytes.</summary>
    public long SpillBytesMax { get; set; } = 1L << 30;

    internal PostgresSource Source { get; private set; } = null!;

    /// <summary>What the node that ran last had applied.</summary>
    internal Lsn Position => Lsn.Parse(Node.Status().AppliedLsn);

    private int Shards { get; }

    /// <summary>How many more shards the replica has, on a node that never runs.</summary>
    private int Elsewhere { get; }

    /// <summary>Runs <paramref name="schemaSql"/>, publishes <paramref name="tables"/> and prepares a node; it does not run yet.</summary>
    /// <param name="connectionString">A database of the test's own.</param>
    /// <param name="schemaSql">Its tables.</param>
    /// <param name="tables">Those to publish.</param>
    /// <param name="cancellationToken">Ends the setup.</param>
    /// <param name="shards">How many shards the node has; without shard keys each holds everything.</param>
    /// <param name="shardKeys">The shard key of each sharded table.</param>
    public static Task<NodeUnderTest> CreateAsync(
        string connectionString, string schemaSql, string tables, CancellationToken cancellationToken, int shards = 1, params (string Table, string Column)[] shardKeys) =>
        CreateAsync(new NodeUnderTest(connectionString, shards), schemaSql, tables, shardKeys, cancellationToken);

    /// <summary>Prepares one of two nodes: the replica has as many shards on another one, so that this one holds some of the rows only.</summary>
    public static Task<NodeUnderTest> CreateHalfAsync(
        string connectionString, string schemaSql, string tables, int shards, (string Table, string Column)[] shardKeys, CancellationToken cancellationToken) =>
        CreateAsync(new NodeUnderTest(connectionString, shards, elsewhere: shards), schemaSql, tables, shardKeys, cancellationToken);

    private static async Task<NodeUnderTest> CreateAsync(
        NodeUnderTest node, string schemaSql, string tables, (string Table, string Column)[] shardKeys, CancellationToken cancellationToken)
    {
        await node.ExecuteAsync(schemaSql);
        var options = node.PrimaryOptions(Lsn.Zero);
        await using var primary = new Primary(options.ConnectionString);
        await new ControlSchema(primary).UpgradeAsync(cancellationToken);
        var generated = (bool)(await node.ScalarAsync("SELECT current_setting('server_version_num')::int >= 180000"))! ? ", publish_generated_columns = stored" : "";
        await node.ExecuteAsync($"CREATE PUBLICATION {Publication} FOR TABLE {tables}, dbsync.heartbeat, dbsync.verification, dbsync.shard_map, dbsync.schema_log WITH (publish_via_partition_root = true{generated})");
        if (shardKeys.Length > 0) await node.ExecuteAsync(await node.MapSqlAsync(primary, shardKeys, cancellationToken));
        var start = await new ReplicationSlot(primary, node.Slot).CreateAsync(cancellationToken);
        node.Start = start;
        return node;
    }

    /// <summary>Prepares another node beside one that <see cref="CreateAsync"/> made, on the same database and publication.</summary>
    public static async Task<NodeUnderTest> JoinAsync(string connectionString, CancellationToken cancellationToken)
    {
        var node = new NodeUnderTest(connectionString, shards: 1);
        await using var primary = new Primary(node.PrimaryOptions(Lsn.Zero).ConnectionString);
        node.Start = await new ReplicationSlot(primary, node.Slot).CreateAsync(cancellationToken);
        return node;
    }

    private async Task<string> MapSqlAsync(Primary primary, (string Table, string Column)[] shardKeys, CancellationToken cancellationToken)
    {
        await using var connection = await primary.OpenAsync(cancellationToken);
        var facts = await ShardingFacts.ReadAsync(connection, cancellationToken);
        var rules = new Dictionary<string, ShardKeyRule>(StringComparer.Ordinal);
        foreach (var (name, column) in shardKeys)
        {
            var table = facts.Single(f => f.ReplicaName == name);
            rules.Add(name, new ShardKeyRule([column], await ShardKeyReader.ReadKindsAsync(connection, table.Oid, name, [column], cancellationToken)));
        }
        var members = Enumerable.Range(0, Shards + Elsewhere).Select(i => new ShardMember(new ShardId($"s{i}"), Node: Elsewhere == 0 ? "" : i < Shards ? "test" : "elsewhere"));
        var topology = new ShardTopology([.. members]);
        return ShardMapTable.InsertSql("main", new ShardLayout(ShardMapPlanner.Start(topology).Target, ShardLayout.KeysOf(rules)));
    }

    /// <summary>Creates the event triggers that log schema changes, as <c>dbsync init</c> does where it may.</summary>
    public async Task LogSchemaChangesAsync(CancellationToken cancellationToken)
    {
        await using var primary = new Primary(ConnectionString);
        var triggers = await primary.UseAsync(c => SchemaTriggers.ReadAsync(c, cancellationToken), cancellationToken);
        foreach (var statement in triggers.Missing) await ExecuteAsync(statement);
    }

    private Lsn Start { get; set; }

    /// <summary>Starts the node.</summary>
    public void Run()
    {
        var shards = Enumerable.Range(0, Shards).Select(i => new NodeFile.Shard($"s{i}", NodeFile.FileNameOf($"s{i}", 1))).ToList();
        var identity = new NodeFile("main", "test", Slot, Publication, "", "", shards);
        var options = PrimaryOptions(Start) with { SpillDirectory = Path.Combine(DataPath, "spill"), SpillBytesMax = SpillBytesMax };
        identity.Save(DataPath); // readers find the shards by it
        var source = Source = new PostgresSource(options, TimeProvider.System);
        var directory = DataDirectory.Lock(DataPath);
        Node = new SyncNode(
            directory, identity, source, source, new ReplicaStore(DataPath, identity, ValueBytesMax), new ControlPlane(source.Primary, Slot, TimeProvider.System),
            Options, TimeProvider.System, NullLoggerFactory.Instance);
        _stop = new CancellationTokenSource();
        _running = RunAsync(Node, directory, _stop.Token);
    }

    /// <summary>Stops the node; throws what ended it.</summary>
    public async Task StopAsync()
    {
        if (_running is null) return;
        await _stop!.CancelAsync();
        var running = _running;
        _running = null;
        await running;
        _stop.Dispose();
    }

    /// <summary>Waits until every table is readable and the primary's present position is visible here.</summary>
    public async Task CatchUpAsync(TimeSpan? timeout = null)
    {
        var target = Lsn.Parse((string)(await ScalarAsync("SELECT pg_current_wal_insert_lsn()::text"))!);
        await UntilAsync(status => !status.Copying && Lsn.Parse(status.AppliedLsn) >= target, timeout);
    }

    /// <summary>Waits until the node's status is so; throws what ended the node, if it ended.</summary>
    internal Task UntilAsync(Func<LiveStatus, bool> condition, TimeSpan? timeout = null) => Eventually.Async(
        async _ =>
        {
            if (_running!.IsCompleted) await _running;
            return Node.Status();
        },
        condition,
        timeout ?? TimeSpan.FromSeconds(60));

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_unpooled);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 300 };
        await command.ExecuteNonQueryAsync();
    }

    public async Task<object?> ScalarAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_unpooled);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_running is not null)
        {
            await _stop!.CancelAsync();
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        _directory.Dispose();
        await PostgresServer.DropSlotsAsync(_unpooled);
    }

    private static async Task RunAsync(SyncNode node, DataDirectory directory, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Run(() => node.RunAsync(cancellationToken), CancellationToken.None);
        }
        finally
        {
            await node.DisposeAsync();
            directory.Dispose();
        }
    }

    private PrimaryOptions PrimaryOptions(Lsn start)
    {
        var options = new PrimaryOptions { ConnectionString = ConnectionString, Publication = Publication, Slot = Slot, StartPosition = start };
        return Backlog is { } backlog ? options with { DrainLeastBytes = backlog.Least, DrainPieceBytes = backlog.Piece, DrainDecodedBytesMax = BacklogDecodedBytesMax } : options;
    }
}
