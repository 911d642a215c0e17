using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// One node: keeps the shards in one data directory equal to the primary until it is told to stop. It puts the pipeline, the initial copy,
/// the heartbeat and the answers to verifications together, and owns none of their logic.
/// </summary>
internal sealed partial class SyncNode : IAsyncDisposable
{
    private readonly DataDirectory _directory;
    private readonly NodeFile _identity;
    private readonly IChangeSource _source;
    private readonly ICopySource _copySource;
    private readonly IReplicaStore _store;
    private readonly IControlPlane _control;
    private readonly NodeOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<SyncNode> _logger;
    private readonly IReadOnlyList<ShardWorker> _shards;
    private readonly AcknowledgeTracker _acknowledge;
    private readonly SyncPipeline _pipeline;
    private readonly CopyCoordinator _copy;
    private readonly Standstill _standstill;
    private readonly VerificationHost _verifications;
    private readonly RowRepair _repair;
    private readonly PublicationWatch _publication;
    private readonly SchemaWatch _schema;
    private readonly SlotWatch _slot;
    private readonly BucketKeeper _buckets;
    private readonly PositionHold _hold = new();
    private readonly CurrentPlacement _placement = new();
    private readonly ShardLayout? _storedLayout;
    private readonly double? _copyRowsPerSecond;
    private readonly DelayMeter _delays;
    private readonly LagProbe _lag;
    private readonly TaskCompletionSource _otherShards = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DbSyncException? _failure;

    public SyncNode(
        DataDirectory directory, NodeFile identity, IChangeSource source, ICopySource copySource, IReplicaStore store, IControlPlane control,
        NodeOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        (_directory, _identity, _source, _copySource, _store) = (directory, identity, source, copySource, store);
        (_control, _options, _time) = (control, options, time);
        _logger = loggers.CreateLogger<SyncNode>();
        _delays = new DelayMeter(time);
        _lag = new LagProbe(time);
        _copyRowsPerSecond = LiveStatus.TryLoad(directory.Path)?.CopyRowsPerSecond; // of an earlier process
        var pool = new PartPool(initialBytes: 1024, keptCountMax: options.Pipeline.QueuePartsMax, keptBytesMax: 64 << 20);
        var stores = store.Open();
        _storedLayout = stores.MinBy(s => s.Position)!.LoadLayout(); // the stream goes on from there
        _shards = [.. stores.Select(s => new ShardWorker(s, options.Pipeline, pool, _delays, time))];
        var gate = _shards.Count > 1 ? new CommitGate(_shards, pool) : null;
        var layouts = new LayoutFeed(identity.Replica, _placement, [.. _shards.Select(s => s.Id)]);
        layouts.Changed = layout => { if (!HasShardsOf(layout)) _otherShards.TrySetResult(); };
        _acknowledge = new AcknowledgeTracker(_shards);
        _standstill = new Standstill(identity.Node, control, _hold, Positions, options.HoldMax, time);
        _verifications = new VerificationHost(identity.Node, control, _standstill, time, loggers.CreateLogger<VerificationHost>());
        _repair = new RowRepair(copySource, _shards, _placement, _standstill, loggers.CreateLogger<RowRepair>());
        _pipeline = new SyncPipeline(
            source, _shards, new PartRouter(_shards.Count, _placement, pool, () => gate?.WakeAll()), pool, _acknowledge, _hold, gate, layouts, _delays, _verifications.Wake, options.Pipeline, time,
            loggers.CreateLogger<SyncPipeline>());
        _copy = new CopyCoordinator(
            copySource, _shards, _placement, _pipeline.RequestPosition, options.Copy, time, loggers.CreateLogger<CopyCoordinator>());
        _publication = new PublicationWatch(
            source, copySource, _shards, Positions, options.HeartbeatInterval, time, loggers.CreateLogger<PublicationWatch>());
        _schema = new SchemaWatch(control, identity.Publication, options.HeartbeatInterval, time, loggers.CreateLogger<SchemaWatch>());
        _buckets = new BucketKeeper(_shards, time);
        _slot = new SlotWatch(control, options.SlotInterval, options.RetainedBytesMax, time);
        foreach (var shard in _shards)
        {
            shard.Applier.Questions = new CopyQuestions(copySource, options.Copy.RetryDelay, time);
            shard.Applier.CatalogChanged = _schema.Wake;
            shard.Committed = OnCommitted;
            shard.BarrierPassed = _ => _acknowledge.Advance();
        }
    }

    /// <summary>Lets callers wait until a position is visible in every shard.</summary>
    public PositionWaiter Positions { get; } = new();

    /// <summary>What the slowest shard has spent on getting to disk: what is left of the time is receiving, decoding and applying.</summary>
    public TimeSpan SyncTime => _shards.Max(s => s.SyncTime);

    /// <summary>Runs until cancelled; then drains and returns.</summary>
    /// <exception cref="DbSyncException">What needs a person.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var metrics = NodeMetrics.Watch(Status, _identity);
            await AlignTablesAsync(cancellationToken);
            foreach (var shard in _shards) shard.Start();
            await RunStartedAsync(cancellationToken);
            LogStopped(_pipeline.Applied);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Told to stop before anything began.
        }
        catch (DbSyncException exception)
        {
            _failure = exception;
            throw;
        }
        finally
        {
            Status().Save(_directory.Path);
        }
    }

    private async Task RunStartedAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pipeline = _pipeline.RunAsync(stop.Token);
        Task[] helpers =
        [
            _copy.RunAsync(stop.Token), BeatAsync(stop.Token), WriteStatusAsync(stop.Token), _verifications.RunAsync(stop.Token), _publication.RunAsync(stop.Token),
            _slot.RunAsync(stop.Token), _schema.RunAsync(stop.Token), _buckets.RunAsync(stop.Token),
        ];
        try
        {
            var first = await Task.WhenAny([pipeline, .. helpers, _otherShards.Task]);
            if (!first.IsCanceled) await first;
            if (first == _otherShards.Task) await stop.CancelAsync(); // what is queued is still applied, the new map with it
            await pipeline;
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var task in helpers.Append(pipeline)) await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // the first failure is on its way up
            await Task.WhenAll(_shards.Select(s => s.StopAsync())).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>True when the node has ended because the shard map has put other shards on it.</summary>
    public bool HasOtherShards => _otherShards.Task.IsCompleted;

    /// <summary>Tables that are emptied and copied anew before the first change is applied, as the replica names them.</summary>
    public IReadOnlyCollection<string> StartOver { get; set; } = [];

    /// <summary>Asked when a change misses its row: whether the table may be compared and mended, or the shard has to stop (DBS5001).</summary>
    public Func<TableSchema, bool> MaySuspect { get; set; } = _ => false;

    /// <summary>The tables that have to be compared before anybody reads them.</summary>
    public async Task<IReadOnlyList<TableSchema>> SuspectsAsync(CancellationToken cancellationToken)
    {
        var found = await Task.WhenAll(_shards.Select(s => s.InvokeAsync((applier, _) => applier.Suspects.ToList(), writes: false))).WaitAsync(cancellationToken);
        return [.. found.SelectMany(t => t).DistinctBy(t => t.Id)];
    }

    /// <summary>The tables that every shard has live, DbSync's own left out.</summary>
    public async Task<IReadOnlyList<TableSchema>> LiveAsync(CancellationToken cancellationToken)
    {
        var found = await Task.WhenAll(_shards.Select(s => s.InvokeAsync((applier, _) => applier.Tables.Where(t => t.State == TableState.Live && !t.Schema.IsControl).Select(t => t.Schema).ToList(), writes: false)))
            .WaitAsync(cancellationToken);
        return [.. found[0].Where(t => found.All(here => here.Exists(h => h.Id == t.Id)))];
    }

    /// <summary>A suspect table has been mended, or can't be and is copied again.</summary>
    public async Task SettleAsync(TableSchema table, bool isMended, CancellationToken cancellationToken)
    {
        foreach (var shard in _shards)
        {
            await shard.InvokeAsync(
                (applier, _) =>
                {
                    if (isMended) applier.Trust(table.Id);
                    else applier.Start(table);
                    return true;
                },
                writes: true).WaitAsync(cancellationToken);
        }
    }

    /// <summary>Copies tables again, beside what is read of them meanwhile.</summary>
    /// <param name="tables">As the replica names them; those that are not here are left out.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task ResyncAsync(IReadOnlyCollection<string> tables, CancellationToken cancellationToken)
    {
        foreach (var shard in _shards)
        {
            await shard.InvokeAsync(
                (applier, _) =>
                {
                    foreach (var table in applier.Tables.Where(t => tables.Contains(t.Schema.ReplicaName, StringComparer.Ordinal)).ToList()) applier.StartBeside(table.Schema);
                    return true;
                },
                writes: true).WaitAsync(cancellationToken);
        }
    }

    /// <summary>Reads rows again that are unlike the primary's, and puts them in place; says of which tables it could not.</summary>
    public async Task<RepairAnswer> RepairAsync(RepairRequest request, CancellationToken cancellationToken)
    {
        var failed = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (table, damage) in request.Tables)
        {
            try
            {
                await _repair.RepairAsync(table, damage, cancellationToken);
            }
            catch (DbSyncException exception) when (exception.Code != ErrorCodes.Diverged)
            {
                failed.Add(table, exception.Code);
            }
        }
        return new RepairAnswer(request.Id, failed);
    }

    /// <summary>What the process knows of itself now.</summary>
    public LiveStatus Status() => Status(_pipeline.Applied);

    private LiveStatus Status(Lsn applied) => new() // read first: what is copied is told as of then
    {
        ProcessId = Environment.ProcessId,
        UpdatedAt = _time.GetUtcNow(),
        Pipeline = _failure is null ? _pipeline.State : PipelineState.Failed,
        Copying = _shards.Any(s => s.IsCopying),
        Waiting = (_failure ?? _pipeline.LastError)?.Message ?? _copy.Waiting,
        ErrorCode = (_failure ?? _pipeline.LastError ?? _copy.Failure)?.Code,
        AppliedLsn = applied.ToString(),
        DurableLsn = _shards.Min(s => s.Durable).ToString(),
        AcknowledgedLsn = _acknowledge.Acknowledged.ToString(),
        PrimaryLsn = Lsn.Max(_pipeline.PrimaryPosition, applied).ToString(),
        LagMs = _lag.Lag?.TotalMilliseconds,
        Delay = DelayStatus.Of(_delays),
        Freshness = _shards.ToDictionary(s => s.Id.Name, s => Freshness.Of(s.Delays), StringComparer.Ordinal),
        Transactions = _shards.Max(s => s.TransactionsApplied),
        Rows = _shards.Sum(s => s.ChangesApplied),
        Reconnects = _pipeline.Reconnects,
        RowsCopied = _copy.RowsCopied,
        ChunksRead = _copy.ChunksRead,
        CopyRowsPerSecond = _copy.Meter.RowsPerSecond ?? _copyRowsPerSecond,
        Slot = _slot.Status,
        Tables = _copy.Meter.Status(),
    };

    /// <summary>Ends once every table is readable, and what the primary had by then is on disk here.</summary>
    public async Task CaughtUpAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var target = await UntilServedAsync(() => _copySource.InsertPositionAsync(cancellationToken), cancellationToken);
            await Positions.WaitAsync(target, cancellationToken);
            do await Task.Delay(_options.StatusInterval, _time, cancellationToken);
            while (_shards.Any(s => s.Durable < target)); // the same target: a newer one would be ahead of every barrier again
            if (!_shards.Any(s => s.IsCopying)) return;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var shard in _shards) shard.Dispose();
        _store.Dispose();
        _hold.Dispose();
        _verifications.Dispose();
        _standstill.Dispose();
        _schema.Dispose();
        _copy.Dispose();
        await _source.DisposeAsync();
    }

    /// <summary>Creates the replica tables that are published and not here, and drops those that are no longer published.</summary>
    private async Task AlignTablesAsync(CancellationToken cancellationToken)
    {
        var describing = UntilServedAsync(() => _source.DescribeAsync(cancellationToken), cancellationToken);
        var layout = await LayoutAsync(cancellationToken);
        var newest = await UntilServedAsync(() => _copySource.NextTransactionAsync(cancellationToken), cancellationToken);
        var published = await describing;
        foreach (var shard in _shards)
        {
            shard.Applier.XidReference = newest; // the worker does not run yet
            shard.Applier.MaySuspect = MaySuspect;
            if (Gap is { } gap) shard.JumpTo(gap, layout);
            shard.Align(published, layout, StartOver);
        }
    }

    /// <summary>The layout that holds where the stream goes on; of shards that are new, the newest there is.</summary>
    /// <exception cref="DbSyncException">DBS8004 when the map's shards are others than those here.</exception>
    private async Task<ShardLayout?> LayoutAsync(CancellationToken cancellationToken)
    {
        var newest = await UntilServedAsync(() => _control.ReadLayoutAsync(_identity.Replica, cancellationToken), cancellationToken);
        if ((Gap is null ? _storedLayout ?? newest : newest ?? _storedLayout) is not { } layout) return null;
        var here = layout.ShardsOn(_identity.Node).Select(s => s.Id).ToHashSet();
        if (!HasShardsOf(layout))
            throw new DbSyncException(
                ErrorCodes.LayoutMismatch,
                $"By version {layout.Version} of the shard map this node holds {string.Join(", ", here.Select(s => s.Name).Order(StringComparer.Ordinal))}, and its data directory "
                + $"{string.Join(", ", _shards.Select(s => s.Id.Name).Order(StringComparer.Ordinal))}.",
                "Run 'dbsync init' with an empty data directory for this node.");
        _placement.Switch(new MapPlacement(layout, [.. _shards.Select(s => s.Id)]));
        return layout;
    }

    private bool HasShardsOf(ShardLayout layout) => layout.ShardsOn(_identity.Node).Select(s => s.Id).ToHashSet().SetEquals(_shards.Select(s => s.Id));

    private Lsn? Gap => Lsn.TryParse(_identity.MendLsn, out var gap) ? gap : null;

    private Task<T> UntilServedAsync<T>(Func<Task<T>> action, CancellationToken cancellationToken) => Patience.UntilServedAsync(
        action, _options.Pipeline.ReconnectDelay, _options.Pipeline.ReconnectDelayMax, _time, LogWaiting, cancellationToken);

    private void OnCommitted(ShardWorker shard)
    {
        if (_shards.Count > 1 && _shards.Any(s => s.Applied < shard.Applied)) Failpoint.Hit(Failpoint.BetweenShardCommits);
        var applied = _pipeline.Applied;
        Positions.Advance(applied);
        _lag.Visible(applied);
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var sentAt = _time.GetTimestamp();
                var beat = await _control.BeatAsync(_identity.Node, cancellationToken);
                _delays.Write.Record(beat.WriteTime);
                _delays.ClockOffsetMicros = beat.ClockOffset.Ticks / TimeSpan.TicksPerMicrosecond;
                _lag.Sent(beat.Position, sentAt);
                _lag.Visible(_pipeline.Applied);
            }
            catch (DbSyncException exception) when (ErrorCodes.IsPassing(exception.Code))
            {
                // Where it matters, the pipeline reports it; the lag grows by itself.
            }
            await Task.Delay(_options.HeartbeatInterval, _time, cancellationToken);
        }
    }

    private async Task WriteStatusAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Status().Save(_directory.Path);
            await Task.Delay(_options.StatusInterval, _time, cancellationToken);
        }
    }

    [LoggerMessage(1001, LogLevel.Information, "Stopped at position {Position}, with everything on disk")]
    private partial void LogStopped(Lsn position);

    [LoggerMessage(1002, LogLevel.Warning, "Waiting for the primary: {Reason}")]
    private partial void LogWaiting(string reason);
}
