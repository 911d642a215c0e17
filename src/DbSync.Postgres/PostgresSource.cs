using System.Net.Sockets;
using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>A primary as the engine sees it: its change log through one slot, and its tables for the initial copy.</summary>
internal sealed class PostgresSource : IChangeSource, ICopySource
{
    // Protocol 2 is spoken by every server from 14 on. Later ones add prepared transactions, which this slot is without, and blocks that are
    // applied in parallel before the commit, which a replica that is equal to the primary at one position can't use.
    private const string InProgress = "proto_version '2', streaming 'on'";
    private const string Whole = "proto_version '2'";

    private readonly PrimaryOptions _options;
    private readonly Primary _primary;
    private readonly TimeProvider _time;
    private readonly TypeCatalog _types = new();
    private readonly TableCatalog _catalog;
    private readonly ChunkPlanner _planner;
    private readonly ChunkReader _reader;
    private readonly ChunkFinder _finder = new();
    private readonly ReplicationSlot _slot;
    private readonly SpillDirectory? _spill;
    private DateTimeOffset _drainAgainAt;
    private long _backlogPieces;
    private volatile StreamedTransactions? _streamed;

    public PostgresSource(PrimaryOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _primary = new Primary(options.ConnectionString);
        _catalog = new TableCatalog(_types);
        _planner = new ChunkPlanner(_catalog);
        _reader = new ChunkReader(_primary, _catalog, options);
        _slot = new ReplicationSlot(_primary, options.Slot);
        if (options.SpillDirectory is { } spill) _spill = new SpillDirectory(spill, options.SpillBytesMax, options.SpillPause, time);
    }

    public Primary Primary => _primary;

    public TableCatalog Catalog => _catalog;

    /// <summary>Pieces of backlogs that were read through SQL.</summary>
    public long BacklogPieces => Interlocked.Read(ref _backlogPieces);

    /// <summary>Transactions that came before their end and were kept until it, through the stream that is open.</summary>
    public long StreamedTransactions => _streamed?.Committed ?? 0;

    /// <summary>The primary's cluster that this node belongs to; checked whenever a stream is opened. Null: any.</summary>
    public string? SystemIdentifier { get; init; }

    /// <summary>Keeps to the timeline that the shards' positions belong to.</summary>
    public TimelineGuard Timeline { get; init; } = new(null, _ => { });

    public async Task<IReadOnlyList<TableSchema>> DescribeAsync(CancellationToken cancellationToken)
    {
        var tables = await _primary.BlockAsync(connection => _catalog.Load(connection, _options.Publication, null), cancellationToken);
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
        var opening = Task.Factory.StartNew(
            () => TryDrain(CheckSlot(position), position) ?? (IChangeStream)Checked(Open(position), position, own: 0),
            cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            return await opening.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _ = CloseLateAsync(opening);
            throw;
        }
    }

    public Task<IReadOnlyList<ChunkBound>> PlanAsync(TableSchema table, long chunkBytes, CancellationToken cancellationToken) =>
        _primary.UseAsync(connection => _planner.PlanAsync(connection, table, chunkBytes, cancellationToken), cancellationToken);

    public async Task<ulong> NextTransactionAsync(CancellationToken cancellationToken) =>
        ulong.Parse(await _primary.ScalarAsync<string>(
            "SELECT pg_catalog.pg_current_xact_id()::text", cancellationToken)); // a snapshot's xmax is only past what has ended

    public async Task<TransactionSnapshot> SnapshotAsync(CancellationToken cancellationToken) =>
        TransactionSnapshot.Parse(await _primary.ScalarAsync<string>("SELECT pg_catalog.pg_current_snapshot()::text", cancellationToken));

    public async Task<Lsn> InsertPositionAsync(CancellationToken cancellationToken) =>
        Lsn.Parse(await _primary.ScalarAsync<string>("SELECT pg_catalog.pg_current_wal_insert_lsn()::text", cancellationToken));

    public Task<TransactionSnapshot> ReadChunkAsync(
        TableSchema table, ChunkRecord chunk, Func<Task<SnapshotDemand>> locked, ChunkRows rows, CancellationToken cancellationToken) =>
        _reader.ReadAsync(table, chunk, locked, rows, cancellationToken);

    public Task<int[]> FindChunksAsync(TableSchema table, IReadOnlyList<ChunkBound> bounds, IReadOnlyList<byte[]> keys, CancellationToken cancellationToken) =>
        _primary.UseAsync(connection => _finder.FindAsync(connection, table, bounds, keys, cancellationToken), cancellationToken);

    public async Task<RowNow> ReadRowAsync(TableSchema table, byte[] key, ulong seen, CancellationToken cancellationToken)
    {
        var rows = new ChunkRows();
        var bound = new ChunkBound(KeyLiterals.Of(table, key), key);
        var snapshot = await _reader.ReadAsync(
            table, new ChunkRecord(0, bound, bound, null, 0), () => Task.FromResult(new SnapshotDemand(0, [seen])), rows, cancellationToken);
        return new RowNow(snapshot, rows.Count == 0 ? null : rows.Current().Written.ToArray(), await InsertPositionAsync(cancellationToken));
    }

    public Task ReadRowsAsync(TableSchema table, IReadOnlyList<byte[]> keys, ISharedSnapshot snapshot, ChunkRows rows, CancellationToken cancellationToken) =>
        _reader.ReadRowsAsync(table, keys, ((SharedSnapshot)snapshot).ExportedAs, rows, cancellationToken);

    public ValueTask DisposeAsync()
    {
        _spill?.Close(); // a stream that nobody waits for may still be opening
        return _primary.DisposeAsync();
    }

    private SlotState CheckSlot(Lsn position)
    {
        var slot = _slot.Check(position, isOurs: false);
        CheckSystem(slot.SystemIdentifier);
        return slot;
    }

    private void CheckSystem(string found)
    {
        if (SystemIdentifier is null || found == SystemIdentifier) return;
        throw new DbSyncException(
            ErrorCodes.PrimaryChanged,
            "The connection leads to another PostgreSQL cluster than the one this node was set up with.",
            "Check the connection string. A primary that was restored and knows this node is copied anew by itself; for another one run 'dbsync init' in an empty data directory.");
    }

    /// <summary>Closes a stream that opened after nobody waited for it any more.</summary>
    private static async Task CloseLateAsync(Task<IChangeStream> opening)
    {
        await ((Task)opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (opening.IsCompletedSuccessfully) (await opening).Dispose();
    }

    /// <summary>Starts the walsender, blocking.</summary>
    private ReplicationStream Open(Lsn position)
    {
        NpgsqlConnection? connection = null;
        try
        {
            connection = NpgsqlWire.OpenReplication(_primary.ConnectionString);
            var bytes = NpgsqlWire.StreamOf(connection);
            if (bytes is NetworkStream) bytes = new ReceiveStream(NpgsqlWire.SocketOf(connection), ownsSocket: true, ReceiveStream.MessagesLowWaterBytes, _time);
            var wire = new ReplicationWire(bytes, _time);
            var (system, timeline) = wire.IdentifySystem();
            CheckSystem(system);
            Timeline.Follow(timeline, position, wire.TimelineHistory);
            var streamed = _streamed = OpenSpill();
            wire.Start(
                $"START_REPLICATION SLOT {PgName.Quote(_options.Slot)} LOGICAL {position} "
                + $"({(streamed is null ? Whole : InProgress)}, publication_names {PgName.Literal(PgName.Quote(_options.Publication))})");
            var resolver = new RelationResolver(_primary, _catalog, _types, _options.Publication);
            return new ReplicationStream(connection, bytes, wire, position, resolver, _options, _time, streamed);
        }
        catch (Exception exception)
        {
            if (connection is not null)
            {
                NpgsqlWire.Cut(connection);
                connection.Dispose();
            }
            if (PrimaryErrors.TryTranslate(exception) is { } translated) throw translated;
            throw;
        }
    }

    /// <summary>Where transactions in progress are kept; null when the primary has to keep them.</summary>
    private StreamedTransactions? OpenSpill()
    {
        if (_spill is not { IsUsable: true }) return null;
        _spill.Prepare();
        return new StreamedTransactions(_spill);
    }

    /// <summary>Nobody else can move the slot now; whoever had it while this process was paused may have moved it before.</summary>
    private ReplicationStream Checked(ReplicationStream stream, Lsn position, int own)
    {
        try
        {
            _slot.Check(position, isOurs: true, own);
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Far behind, the backlog comes through SQL first; null when it doesn't pay or the server won't.</summary>
    private BacklogStream? TryDrain(SlotState slot, Lsn position)
    {
        var behind = slot.Current.Value - Math.Min(slot.Current.Value, Lsn.Max(position, slot.Confirmed).Value);
        if (Timeline.HasChanged(slot.Timeline) || behind < (ulong)_options.DrainLeastBytes || _time.GetUtcNow() < _drainAgainAt) return null;
        try
        {
            var drain = SlotDrain.Start(_primary, _options, position);
            var resolver = new RelationResolver(_primary, _catalog, _types, _options.Publication);
            return new BacklogStream(
                drain, (at, own) => Checked(Open(at), at, own), pool => new PgOutputDecoder(resolver, pool, _options.PartBytesMax, _time),
                () => Interlocked.Increment(ref _backlogPieces), PauseDraining, _time);
        }
        catch (PostgresException)
        {
            PauseDraining(); // no slot to spare, no right to copy one: the walsender does the same, only slower
            return null;
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is { } translated)
        {
            throw translated;
        }
    }

    private void PauseDraining() => _drainAgainAt = _time.GetUtcNow() + _options.DrainPause;
}
