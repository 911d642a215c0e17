using Microsoft.Extensions.Logging;

namespace DbSync;

/// <summary>
/// Keeps a replica alive whatever becomes of its slot: runs a node over its files; when the node can't go on from there, or when somebody
/// asks for it, copies everything again into files beside them, while the old ones are served, and swaps the two.
/// </summary>
/// <remarks>
/// A swap is one atomic replacement of <c>node.json</c>, once the new files are readable and hold what the primary had then. Whoever has an
/// old file open reads on in it; it is deleted when nobody does. Every step is written down before it is taken, so that a process that is
/// killed goes on where it was.
/// </remarks>
internal sealed partial class NodeKeeper(
    ReseedJournal journal, INodeFactory factory, ReseedOptions options, TimeProvider time, ILogger<NodeKeeper> logger)
{
    /// <summary>Tables that turn out unlike the primary's within such a time are one event.</summary>
    private static readonly TimeSpan SuspectTogether = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan DiskDelayMax = TimeSpan.FromSeconds(15);

    private readonly Lock _suspecting = new();
    private bool _hasServed;
    private TimeSpan _diskDelay = options.LookInterval;
    private bool _diskRefuses;
    private Lsn _diskAt;
    private DateTimeOffset _suspectedAt;
    private bool _shardsChanged;
    private SyncNode? _node;
    private LiveStatus? _last;

    /// <summary>The node, with the files that readers use now.</summary>
    public NodeFile Identity => journal.Identity;

    /// <summary>The copy beside them; null when there is none.</summary>
    public ReseedFile.Plan? Reseed => journal.Current;

    /// <summary>What the node that runs now, or that ran last, says of itself; null before the first.</summary>
    public LiveStatus? Status() => Volatile.Read(ref _node)?.Status() ?? Volatile.Read(ref _last);

    /// <summary>Runs until cancelled; then drains and returns.</summary>
    /// <exception cref="DbSyncException">What needs a person; DBS4050 when copying again has been tried often enough.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var request = Reseed is null && ResyncRequest.TryLoad(journal.Directory) is { Tables: null } waiting ? waiting : await RunNodeAsync(cancellationToken);
                if (request is null && !cancellationToken.IsCancellationRequested && _shardsChanged) continue;
                if (request is null) return;
                journal.Begin(ReseedCause.Requested, "it was asked for", null, request.Id);
                ResyncRequest.Delete(journal.Directory);
            }
            catch (Exception exception) when (_hasServed && !cancellationToken.IsCancellationRequested && IsOfDisk(exception))
            {
                await WaitForDiskAsync(exception, cancellationToken);
                continue;
            }
            catch (DbSyncException exception) when (!cancellationToken.IsCancellationRequested && ReseedCauses.Of(exception.Code) is not null)
            {
                await HealAsync(ReseedCauses.Of(exception.Code)!.Value, exception, cancellationToken);
            }
            if (Reseed is { } begun) LogBegun(begun.Reason);
        }
    }

    /// <summary>Runs one node to its end; returns the request that ended it, or null when it was told to stop.</summary>
    private async Task<ResyncRequest?> RunNodeAsync(CancellationToken cancellationToken)
    {
        var plan = Reseed;
        if (plan is null) PlaceShards();
        if (plan is not null) plan = await PrepareAsync(plan, cancellationToken);
        await using var node = factory.Create(plan?.Over(Identity) ?? Identity, journal.FollowTimeline);
        Volatile.Write(ref _node, node);
        node.MaySuspect = MaySuspect;
        if (plan is null && ResyncRequest.TryLoad(journal.Directory) is { Over: true, Tables: { } over }) node.StartOver = over;
        ResyncRequest? request = null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var companions = Task.WhenAll(
            Beside(async () =>
            {
                request = await TakeRequestsAsync(node, stop.Token);
                await stop.CancelAsync();
            }),
            Beside(() => plan is null ? Task.CompletedTask : SwapWhenReadyAsync(node, plan, stop.Token)),
            Beside(() => new Mender(factory, node, () => Reseed is null, options, time, logger).RunAsync(stop.Token)),
            Beside(() => DeleteOldFilesAsync(stop.Token)));
        try
        {
            await node.RunAsync(stop.Token);
        }
        finally
        {
            _shardsChanged = node.HasOtherShards;
            await stop.CancelAsync();
            await companions.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var last = node.Status();
            _hasServed |= !last.Copying && Lsn.Parse(last.AppliedLsn) > Lsn.Zero && Lsn.Parse(last.PrimaryLsn) > Lsn.Zero; // it may have ended before anybody looked
            Volatile.Write(ref _last, last);
            Volatile.Write(ref _node, null);
        }
        await companions; // one of them may have failed, and stopped the node with it
        return request;

        async Task Beside(Func<Task> action)
        {
            try
            {
                await action();
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // The node ends.
            }
            catch
            {
                await stop.CancelAsync();
                throw;
            }
        }
    }

    /// <summary>Makes the files of shards that the map has put here, and lets go of those that it has no longer.</summary>
    private void PlaceShards()
    {
        if (factory.PlaceOf(Identity) is not var (position, layout)) return;
        var wanted = layout.ShardsOn(Identity.Node).Select(s => s.Id.Name).ToHashSet(StringComparer.Ordinal);
        if (wanted.Count == 0 || wanted.SetEquals(Identity.Shards.Select(s => s.Id))) return;
        journal.Place(wanted, shard => factory.CreateShard(Identity, shard, position, layout));
        LogPlaced(layout.Version, string.Join(", ", Identity.Shards.Select(s => s.Id)));
    }

    /// <summary>Makes the slot that a copy beside the old files starts from, unless that is done.</summary>
    private async Task<ReseedFile.Plan> PrepareAsync(ReseedFile.Plan plan, CancellationToken cancellationToken)
    {
        if (plan.Starts >= options.TriesMax) throw await GiveUpAsync($"The copy was begun {plan.Starts} times and got nowhere: {plan.Reason}", null, cancellationToken);
        plan = journal.Update(plan with { Starts = plan.Starts + 1 });
        if (plan.StartLsn is not null) return plan;
        var origin = await MakeSlotAsync(ReseedCauses.KeepsSlot(plan.Cause), cancellationToken);
        return journal.Update(plan with { StartLsn = origin.Start.ToString(), SystemIdentifier = origin.SystemIdentifier, Timeline = origin.Timeline });
    }

    private async Task<SlotOrigin> MakeSlotAsync(bool keep, CancellationToken cancellationToken)
    {
        Tell("making the slot");
        var started = time.GetTimestamp();
        var origin = await Patience.UntilServedAsync(
            async () =>
            {
                while (true)
                {
                    try
                    {
                        if (!keep) await factory.Slot.GiveUpAsync(cancellationToken);
                        Failpoint.Hit(Failpoint.AfterSlotGivenUp);
                        return await factory.Slot.MakeAsync(keep, cancellationToken);
                    }
                    catch (DbSyncException exception) when (exception.Code == ErrorCodes.SlotInUse && time.GetElapsedTime(started) < options.SlotWaitMax)
                    {
                        await Task.Delay(options.LookInterval, time, cancellationToken); // the server has not noticed yet that its follower has gone
                    }
                }
            },
            options.LookInterval, options.SlotWaitMax, time, Tell, cancellationToken);
        Failpoint.Hit(Failpoint.AfterSlotMade);
        return origin;
    }

    /// <summary>A change missed its row: the table is mended, unless that has been tried often enough.</summary>
    private bool MaySuspect(TableSchema table)
    {
        if (!options.Reseeds) return false;
        lock (_suspecting)
        {
            if (time.GetUtcNow() - _suspectedAt > SuspectTogether)
            {
                if (journal.TriesOf(ReseedCause.Diverged, options.TriesWindow) >= options.TriesMax) return false;
                journal.Note(ReseedCause.Diverged);
                _suspectedAt = time.GetUtcNow();
            }
        }
        LogSuspect(table.ReplicaName);
        return true;
    }

    private async Task SwapWhenReadyAsync(SyncNode node, ReseedFile.Plan plan, CancellationToken cancellationToken)
    {
        await node.CaughtUpAsync(cancellationToken);
        Failpoint.Hit(Failpoint.BeforeSwap);
        journal.Swap();
        LogSwapped(string.Join(", ", plan.Shards.Select(s => s.File)));
    }

    /// <summary>Serves requests for single tables, and returns the first for all of them.</summary>
    private async Task<ResyncRequest> TakeRequestsAsync(SyncNode node, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (Reseed is { Starts: > 0 } plan && node.Status() is { ChunksRead: > 0 } or { Transactions: > 0 }) journal.Update(plan with { Starts = 0 });
            if (ResyncRequest.TryLoad(journal.Directory) is { } request && Reseed is null)
            {
                if (request.Tables is not { } tables) return request;
                if (node.StartOver.Count == 0) await node.ResyncAsync(tables, cancellationToken);
                if (node.StartOver.Count == 0 || node.Status().Pipeline == PipelineState.Streaming) ResyncRequest.Delete(journal.Directory); // else it is not on disk yet
            }
            if (node.Status() is { Pipeline: PipelineState.Streaming } status) NoteServing(Lsn.Parse(status.AppliedLsn));
            if (Identity.RestoredAt is not null && node.Status().Pipeline == PipelineState.Streaming) journal.Settle();
            if (RepairRequest.TryLoad(journal.Directory) is { } repair)
            {
                (await node.RepairAsync(repair, cancellationToken)).Save(journal.Directory);
                RepairRequest.Delete(journal.Directory);
            }
            await Task.Delay(options.LookInterval, time, cancellationToken);
        }
    }

    private async Task DeleteOldFilesAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            foreach (var file in journal.OldFiles().Where(factory.TryDelete)) LogDeleted(file);
            await Task.Delay(options.LookInterval, time, cancellationToken);
        }
    }

    private static bool IsOfDisk(Exception exception) => exception is IOException or UnauthorizedAccessException or DbSyncException { Code: ErrorCodes.StorageFailed };

    /// <summary>The disk takes what comes when the position has moved on since it last refused.</summary>
    private void NoteServing(Lsn applied)
    {
        _hasServed = true;
        if (applied > _diskAt) (_diskDelay, _diskRefuses) = (options.LookInterval, false);
    }

    /// <summary>
    /// The disk is full or refuses: a new node opens the files anew, since after a failed write or sync nothing that is remembered of them counts.
    /// What was acknowledged is on the disk.
    /// </summary>
    private async Task WaitForDiskAsync(Exception exception, CancellationToken cancellationToken)
    {
        var reason = exception is DbSyncException known ? known.Message : exception.GetType().Name;
        if (!_diskRefuses) LogDisk(reason);
        _diskRefuses = true;
        var applied = Lsn.Parse((Status() ?? LiveStatus.None).AppliedLsn);
        if (applied > _diskAt) _diskAt = applied; // a node that could not open its files says nothing
        Tell($"The disk of the data directory refuses: {reason}");
        await Task.Delay(_diskDelay, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _diskDelay = _diskDelay * 2 < DiskDelayMax ? _diskDelay * 2 : DiskDelayMax;
    }

    /// <summary>Writes down that everything has to be copied again, or says why not.</summary>
    private async Task HealAsync(ReseedCause cause, DbSyncException exception, CancellationToken cancellationToken)
    {
        if (!options.Reseeds)
        {
            if (cause == ReseedCause.SlotOverBudget) await DropSlotAsync(cancellationToken);
            throw exception;
        }
        if (journal.TriesOf(cause, options.TriesWindow) >= options.TriesMax)
            throw await GiveUpAsync($"Everything was copied again {options.TriesMax} times within {options.TriesWindow.TotalHours:0} h for the same reason.", exception, cancellationToken);
        if (cause == ReseedCause.PrimaryChanged && !await Patience.UntilServedAsync(
                () => factory.Slot.IsKnownAsync(cancellationToken), options.LookInterval, options.SlotWaitMax, time, Tell, cancellationToken))
            throw exception; // not a primary that was restored: the connection leads elsewhere
        LogLost(exception.Message);
        if (Identity.RestoredAt is not null && Reseed is null && cause is ReseedCause.SlotMissing or ReseedCause.SlotLost or ReseedCause.SlotAhead
            && journal.TriesOf(ReseedCause.Restored, options.TriesWindow) < options.TriesMax)
        {
            journal.Note(ReseedCause.Restored);
            journal.Mend(await MakeSlotAsync(keep: true, cancellationToken));
            Failpoint.Hit(Failpoint.AfterGapRecorded);
            return;
        }
        journal.Begin(cause, exception.Message, exception.Code, null);
    }

    /// <summary>Ends the tries: the primary keeps no log any more for a replica that won't come.</summary>
    private async Task<DbSyncException> GiveUpAsync(string reason, DbSyncException? cause, CancellationToken cancellationToken)
    {
        await DropSlotAsync(cancellationToken);
        journal.Abandon();
        return new DbSyncException(
            ErrorCodes.ReseedGivenUp,
            $"{reason} {cause?.Message}".TrimEnd(),
            "Mend the cause; then 'dbsync resync' copies everything again. What was copied before is still served, as stale.",
            cause);
    }

    private async Task DropSlotAsync(CancellationToken cancellationToken)
    {
        try
        {
            await factory.Slot.GiveUpAsync(cancellationToken);
        }
        catch (DbSyncException exception)
        {
            LogKept(exception.Message);
        }
    }

    /// <summary>Says what is waited for while no node runs.</summary>
    private void Tell(string waiting)
    {
        var status = (Status() ?? LiveStatus.None) with
        {
            ProcessId = Environment.ProcessId, UpdatedAt = time.GetUtcNow(), Pipeline = PipelineState.Connecting, Waiting = waiting, ErrorCode = Reseed?.Code,
        };
        Volatile.Write(ref _last, status);
        status.Save(journal.Directory);
    }

    [LoggerMessage(1201, LogLevel.Warning, "The replica can't go on from its slot. {Reason}")]
    private partial void LogLost(string reason);

    [LoggerMessage(1202, LogLevel.Warning, "Everything is copied again beside the old files, which are served meanwhile, as stale: {Reason}")]
    private partial void LogBegun(string reason);

    [LoggerMessage(1203, LogLevel.Information, "The new copy has taken the old one's place: {Files}")]
    private partial void LogSwapped(string files);

    [LoggerMessage(1208, LogLevel.Information, "By version {Version} of the shard map this node holds {Shards}")]
    private partial void LogPlaced(long version, string shards);

    [LoggerMessage(1204, LogLevel.Information, "Deleted {File}: nobody reads it any more")]
    private partial void LogDeleted(string file);

    [LoggerMessage(1207, LogLevel.Error, "The disk of the data directory refuses; trying again: {Reason}")]
    private partial void LogDisk(string reason);

    [LoggerMessage(1206, LogLevel.Warning, "A change missed its row in {Table} (DBS5001): something else wrote to a shard's file. The primary answers for the table until it is compared and mended")]
    private partial void LogSuspect(string table);

    [LoggerMessage(1205, LogLevel.Warning, "The slot could not be given up: {Reason}")]
    private partial void LogKept(string reason);
}
