using DbSync.Postgres.Types;
using Npgsql.Replication;

namespace DbSync.Postgres;

/// <summary>A primary as the engine sees it: its change log through one slot, and its tables for the initial copy.</summary>
internal sealed class PostgresSource : IChangeSource, ICopySource
{
    private readonly PrimaryOptions _options;
    private readonly Primary _primary;
    private readonly TimeProvider _time;
    private readonly TypeCatalog _types = new();
    private readonly TableCatalog _catalog;
    private readonly ChunkPlanner _planner;
    private readonly ChunkReader _reader;
    private readonly ReplicationSlot _slot;

    public PostgresSource(PrimaryOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _primary = new Primary(options.ConnectionString);
        _catalog = new TableCatalog(_types);
        _planner = new ChunkPlanner(_catalog);
        _reader = new ChunkReader(_primary, _catalog, options);
        _slot = new ReplicationSlot(_primary, options.Slot);
    }

    public Primary Primary => _primary;

    public TableCatalog Catalog => _catalog;

    /// <summary>The primary's cluster that this node belongs to; checked whenever a stream is opened. Null: any.</summary>
    public string? SystemIdentifier { get; init; }

    public async Task<IReadOnlyList<TableSchema>> DescribeAsync(CancellationToken cancellationToken)
    {
        var tables = await _primary.UseAsync(connection => _catalog.LoadAsync(connection, _options.Publication, null, cancellationToken), cancellationToken);
        return tables.Count > 0 ? tables : throw PrimaryErrors.PublicationMissing(_options.Publication);
    }

    public async Task<IReadOnlyDictionary<TableId, uint>> ReadEntriesAsync(CancellationToken cancellationToken)
    {
        var entries = await _primary.UseAsync(
            connection => TableCatalog.LoadEntriesAsync(connection, _options.Publication, cancellationToken), cancellationToken);
        return entries.Count > 0 ? entries : throw PrimaryErrors.PublicationMissing(_options.Publication);
    }

    public async Task<IChangeStream> OpenAsync(Lsn position, CancellationToken cancellationToken)
    {
        position = Lsn.Max(position, _options.StartPosition);
        await _slot.CheckAsync(position, isOurs: false, cancellationToken);
        var connection = new LogicalReplicationConnection(_primary.ConnectionString);
        try
        {
            await connection.Open(cancellationToken);
            var system = await connection.IdentifySystem(cancellationToken);
            CheckSystem(system.SystemId);
            var bytes = NpgsqlWire.Of(connection, _time);
            var wire = new ReplicationWire(bytes, _time);
            wire.Start(
                $"START_REPLICATION SLOT {PgName.Quote(_options.Slot)} LOGICAL {position} "
                + $"(proto_version '1', publication_names {PgName.Literal(PgName.Quote(_options.Publication))})");

            // Nobody else can move the slot now. Whoever had it while this process was paused may have moved it before.
            await _slot.CheckAsync(position, isOurs: true, cancellationToken);
            var resolver = new RelationResolver(_primary, _catalog, _types, _options.Publication);
            return new ReplicationStream(connection, bytes, wire, position, resolver, _options, _time);
        }
        catch (Exception exception)
        {
            await CloseAsync(connection);
            if (PrimaryErrors.TryTranslate(exception) is { } translated) throw translated;
            throw;
        }
    }

    public Task<IReadOnlyList<ChunkBound>> PlanAsync(TableSchema table, long chunkBytes, CancellationToken cancellationToken) =>
        _primary.UseAsync(connection => _planner.PlanAsync(connection, table, chunkBytes, cancellationToken), cancellationToken);

    public async Task<ulong> NextTransactionAsync(CancellationToken cancellationToken) =>
        ulong.Parse(await _primary.ScalarAsync<string>(
            "SELECT pg_catalog.pg_current_xact_id()::text", cancellationToken)); // a snapshot's xmax is only past what has ended

    public async Task<Lsn> InsertPositionAsync(CancellationToken cancellationToken) =>
        Lsn.Parse(await _primary.ScalarAsync<string>("SELECT pg_catalog.pg_current_wal_insert_lsn()::text", cancellationToken));

    public Task<TransactionSnapshot> ReadChunkAsync(
        TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows, CancellationToken cancellationToken) =>
        _reader.ReadAsync(table, chunk, locked, rows, cancellationToken);

    public ValueTask DisposeAsync() => _primary.DisposeAsync();

    private void CheckSystem(string found)
    {
        if (SystemIdentifier is null || found == SystemIdentifier) return;
        throw new DbSyncException(
            ErrorCodes.PrimaryChanged,
            "The connection leads to another PostgreSQL cluster than the one this node was set up with.",
            "Check the connection string; for a new primary run 'dbsync init' in an empty data directory.");
    }

    private static async Task CloseAsync(LogicalReplicationConnection connection)
    {
        try
        {
            await connection.DisposeAsync();
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is not null)
        {
            // What made us close it is reported.
        }
    }
}
