using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// For each transaction from the source: split it by the shard map, queue each part, apply it in one SQLite transaction together with the
/// checkpoint, and acknowledge the smallest position that is durable everywhere. A lost primary is looked for again, for ever.
/// </summary>
internal sealed partial class SyncPipeline(
    IChangeSource source,
    IReadOnlyList<ShardWorker> shards,
    PartRouter router,
    PartPool pool,
    AcknowledgeTracker acknowledge,
    PositionHold hold,
    CommitGate? gate,
    LayoutFeed layouts,
    DelayMeter delays,
    Action controlTouched,
    PipelineOptions options,
    TimeProvider time,
    ILogger<SyncPipeline> logger)
{
    private IChangeStream? _stream;

    public PipelineState State { get; private set; }

    /// <summary>How often the stream was opened again.</summary>
    public long Reconnects { get; private set; }

    /// <summary>Why there is no stream now; null while there is one.</summary>
    public DbSyncException? LastError { get; private set; }

    /// <summary>The newest position that the primary has told.</summary>
    public Lsn PrimaryPosition { get; private set; }

    /// <summary>What every shard has applied.</summary>
    public Lsn Applied => shards.Min(s => s.Applied);

    public void RequestPosition() => Volatile.Read(ref _stream)?.RequestPosition();

    /// <summary>Runs until cancelled; then what is queued is applied, made durable and acknowledged.</summary>
    /// <exception cref="DbSyncException">What can't be mended by trying again.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var workers = Task.WhenAny(shards.Select(s => s.Stopped));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _ = workers.ContinueWith(_ => stop.CancelAsync(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        var delay = options.ReconnectDelay;
        var started = time.GetTimestamp();
        var streamed = false;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    using var stream = await source.OpenAsync(Applied, stop.Token);
                    (State, LastError, delay, streamed) = (PipelineState.Streaming, null, options.ReconnectDelay, true);
                    delays.Follow();
                    LogStreaming(Applied);
                    await FollowAsync(stream, stop.Token);
                }
                catch (DbSyncException exception) when (IsPassing(exception, streamed, started))
                {
                    (State, LastError) = (PipelineState.Connecting, exception);
                    LogLost(exception.Message, delay);
                    await Task.Delay(delay, time, stop.Token);
                    Reconnects++;
                    delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, options.ReconnectDelayMax.Ticks));
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested || shards.Any(s => s.Queue.IsClosed))
        {
            // Asked to stop; or a shard refuses more, because it has failed and is about to say why.
            if (!cancellationToken.IsCancellationRequested) await workers;
        }
        finally
        {
            State = shards.Any(s => s.Stopped.IsFaulted) ? PipelineState.Failed : PipelineState.Stopped;
        }
        if (shards.FirstOrDefault(s => s.Stopped.IsFaulted) is { } failed) await failed.Stopped;
    }

    /// <summary>
    /// Reads one stream to its end on a thread of its own: the reader blocks in the socket and in full queues. A stop lets it take one more
    /// message, which is asked for; then the shards finish what they have, and the primary is told.
    /// </summary>
    private async Task FollowAsync(IChangeStream stream, CancellationToken cancellationToken)
    {
        hold.StartAt(Applied);
        Volatile.Write(ref _stream, stream);
        acknowledge.Attach(stream);
        await using var patience = time.CreateTimer(_ => stream.Dispose(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using var stopping = cancellationToken.Register(() =>
        {
            patience.Change(options.CloseMax, Timeout.InfiniteTimeSpan);
            stream.RequestPosition();
        });
        try
        {
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            new Thread(() => Complete(ended, () => Follow(stream, cancellationToken))) { IsBackground = true, Name = "dbsync stream" }.Start();
            await ended.Task;
        }
        finally
        {
            Volatile.Write(ref _stream, null);
            if (cancellationToken.IsCancellationRequested) await FinishAsync(stream, patience);
            else await DiscardAsync();
            gate?.Reset();
            hold.Reset();
            acknowledge.Attach(null);
        }
    }

    /// <summary>Stops the shards, each with all that it has whole on disk, and then the stream, once it has carried the last acknowledgement.</summary>
    private async Task FinishAsync(IChangeStream stream, ITimer patience)
    {
        patience.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        await Task.WhenAll(shards.Select(s => s.StopAsync())).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // who failed is told below
        patience.Change(options.CloseMax, Timeout.InfiniteTimeSpan);
        await Task.Run(stream.Close);
    }

    /// <summary>The stream broke: the shards keep what they have whole, and forget the rest.</summary>
    private async Task DiscardAsync()
    {
        if (gate is not null) await Task.WhenAny(gate.SettleAsync(), Task.Delay(options.CloseMax, time, CancellationToken.None));
        await Task.WhenAll(shards.Where(s => !s.Stopped.IsCompleted).Select(s => s.DiscardAsync()));
    }

    private void Follow(IChangeStream stream, CancellationToken cancellationToken)
    {
        foreach (var part in stream.Read(pool, cancellationToken))
        {
            PrimaryPosition = stream.PrimaryPosition;
            hold.Pass(part);
            while (hold.TryTake(out var ready, cancellationToken))
            {
                var touchesControl = ready.TouchesControl;
                layouts.Notice(ready);
                var (ends, layout) = (ready.Ends, ready.Layout);
                var shares = router.Split(ready);
                gate?.BeginQueueing();
                for (var i = 0; i < shares.Length; i++)
                    if (stream.HasMore || !shards[i].TryApplyStraight(shares[i])) shards[i].Queue.Enqueue(shares[i], cancellationToken);
                gate?.EndQueueing(ends);
                if (layout is not null) layouts.Passed(layout);
                if (touchesControl) controlTouched();
            }
        }
    }

    private static void Complete(TaskCompletionSource completion, Action action)
    {
        try
        {
            action();
            completion.SetResult();
        }
        catch (OperationCanceledException)
        {
            completion.SetCanceled(CancellationToken.None);
        }
        catch (Exception exception)
        {
            completion.SetException(exception);
        }
    }

    /// <summary>
    /// What trying again can mend. A slot that is in use is waited for when this node had it before; at the start only for a while, since its
    /// user may be this node's own past life or may be somebody else.
    /// </summary>
    private bool IsPassing(DbSyncException exception, bool streamed, long started) => exception.Code switch
    {
        ErrorCodes.MalformedStream => true,
        ErrorCodes.SlotInUse => streamed || time.GetElapsedTime(started) < options.SlotWaitMax,
        var code => ErrorCodes.IsPassing(code),
    };

    [LoggerMessage(5001, LogLevel.Information, "Following the change log from {Position}")]
    private partial void LogStreaming(Lsn position);

    [LoggerMessage(5002, LogLevel.Warning, "No stream: {Reason} Trying again in {Delay}")]
    private partial void LogLost(string reason, TimeSpan delay);
}
