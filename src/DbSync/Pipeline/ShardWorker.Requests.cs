using System.Runtime.ExceptionServices;

namespace DbSync;

/// <summary>What other threads may ask of a shard.</summary>
internal sealed partial class ShardWorker
{
    /// <summary>Before <see cref="Start"/>: creates the tables that are published and not here, and drops those no longer published.</summary>
    /// <param name="published">The tables of the publication.</param>
    /// <param name="layout">The shard layout for a file that has none yet; null for a replica without.</param>
    /// <param name="startOver">The tables, by their names here, to be copied again.</param>
    public void Align(IReadOnlyList<TableSchema> published, ShardLayout? layout, IReadOnlyCollection<string> startOver)
    {
        _store.Begin(durable: false);
        if (layout is not null && _store.LoadLayout() is null) Applier.Switch(layout);
        Applier.Align(published, Applier.Tables.ToDictionary(t => t.Schema.Id, t => t.Schema.Entry), looked: null);
        foreach (var table in Applier.Tables.Where(t => startOver.Contains(t.Schema.ReplicaName, StringComparer.Ordinal)).ToList()) Applier.Start(table.Schema);
        _store.Commit(_store.Position);
    }

    /// <summary>Before <see cref="Start"/>: goes on from a later position, although what lies between is in no log any more. Every table is suspect.</summary>
    public void JumpTo(Lsn position, ShardLayout? layout)
    {
        if (_store.Position >= position) return;
        _store.Begin(durable: true);
        Applier.SuspectAll(layout);
        _store.Commit(position);
        _next = position;
        _applied = position.Value;
        Failpoint.Hit(Failpoint.AfterGapPassed);
    }

    /// <summary>Runs <paramref name="action"/> on the worker's thread, between two changes.</summary>
    /// <param name="action">What to do; it may write to the store when <paramref name="writes"/>.</param>
    /// <param name="writes">Whether the result counts only once it is committed.</param>
    /// <returns>The result; cancelled when the shard stops or rolls it back.</returns>
    public Task<T> InvokeAsync<T>(Func<ChangeApplier, IShardStore, T> action, bool writes)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Cancel() => completion.TrySetCanceled(CancellationToken.None);
        void Run()
        {
            try
            {
                if (writes) EnsureOpen();
                var result = action(Applier, _store);
                if (writes) _awaitingCommit.Add((() => completion.TrySetResult(result), Cancel));
                else completion.TrySetResult(result);
            }
            catch (UnstorableValueException exception)
            {
                completion.TrySetException(exception); // the table that it was for has been set aside
            }
            catch (Exception exception)
            {
                completion.TrySetException(exception);
                throw; // the open transaction may be half done: the shard stops
            }
        }
        if (!Queue.Post(new ShardCommand(Run, Cancel))) Cancel();
        return completion.Task;
    }

    /// <summary>
    /// Applies a whole transaction and makes it visible on the calling thread, when the shard has nothing else to do: handing it to the
    /// shard's own thread would take longer than the work.
    /// </summary>
    /// <returns>False when it has to be queued, as always where shards commit together.</returns>
    public bool TryApplyStraight(TransactionPart part)
    {
        if (Gate is not null || !part.Begins || !part.Ends || part.ChangeCount > _options.StraightChangesMax || !Queue.Turn.TryEnter()) return false;
        try
        {
            if (_open || !_atBoundary || _isBusy || _draining || !_hasSlept || Applier.Copies.Count > 0 || !Queue.IsIdle) return false;
            if (!IsHere(part))
            {
                if (!_store.TryBegin()) return false; // who receives must not wait for somebody else's lock: nothing would be heard meanwhile
                Opened();
            }
            Apply(part);
            if (_open) MakeVisible();
            if (_hasUpkeep || !NeedsUpkeep) return true;
            _hasUpkeep = true;
            Queue.Post(new ShardCommand(() => { }, () => { })); // wakes the shard's thread, which then waits for no longer than the next barrier
        }
        catch (Exception exception)
        {
            var failure = ExceptionDispatchInfo.Capture(exception);
            Queue.Post(new ShardCommand(failure.Throw, () => { })); // the shard stops, as if its own thread had met it
        }
        finally
        {
            Queue.Turn.Exit();
        }
        return true;
    }

    /// <summary>Answers a question about the applier's state on the worker's thread, at the latest between two buffers of a copied chunk.</summary>
    /// <returns>The answer; cancelled when the shard stops.</returns>
    public Task<T> AskAsync<T>(Func<ChangeApplier, T> question)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Cancel() => completion.TrySetCanceled(CancellationToken.None);
        if (!Queue.Ask(new ShardCommand(() => completion.TrySetResult(question(Applier)), Cancel))) Cancel();
        return completion.Task;
    }

    /// <summary>Answers the questions that wait; on the worker's thread.</summary>
    public void AnswerQuestions()
    {
        while (Queue.TryTakeQuestion(out var question)) question.Run();
    }

    /// <summary>True when the shard's thread has something to do that nobody will ask it for.</summary>
    private bool NeedsUpkeep => Applied != Durable || _store.WalBytes > _options.IdleWalBytesMax;
}
