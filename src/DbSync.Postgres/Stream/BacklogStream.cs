namespace DbSync.Postgres;

/// <summary>
/// A slot's log from far behind: first the backlog through SQL, piece by piece, then the walsender from exactly there. A transaction is
/// handed out by one of the two: whole, once, in commit order.
/// </summary>
/// <param name="drain">Reads the backlog.</param>
/// <param name="open">Starts the walsender after a position; the server process given is this node's own and no stranger to the slot.</param>
/// <param name="decoder">Makes a decoder of <c>pgoutput</c>.</param>
/// <param name="pieceRead">Told after each piece.</param>
/// <param name="failed">Told when the drain could not go on.</param>
/// <param name="time">The clock.</param>
internal sealed class BacklogStream(
    SlotDrain drain, Func<Lsn, int, ReplicationStream> open, Func<PartPool, PgOutputDecoder> decoder, Action pieceRead, Action failed,
    TimeProvider time) : IChangeStream
{
    private readonly Lock _gate = new();
    private readonly Queue<TransactionPart> _ready = new();
    private ReplicationStream? _live;
    private ulong _durable;
    private bool _asked;
    private bool _disposed;

    public Lsn PrimaryPosition
    {
        get
        {
            lock (_gate) return _live?.PrimaryPosition ?? drain.PrimaryPosition;
        }
    }

    public bool HasMore
    {
        get
        {
            lock (_gate) return _live?.HasMore ?? true;
        }
    }

    public IEnumerable<TransactionPart> Read(PartPool pool, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var part in ReadBacklog(pool, cancellationToken)) yield return part;
            if (cancellationToken.IsCancellationRequested) yield break;
            foreach (var part in GoLive().Read(pool, cancellationToken)) yield return part;
        }
        finally
        {
            drain.Dispose();
        }
    }

    public void Acknowledge(Lsn durable)
    {
        ReplicationStream? live;
        lock (_gate)
        {
            live = _live;
            Volatile.Write(ref _durable, durable.Value);
        }
        live?.Acknowledge(durable);
    }

    public void Close()
    {
        ReplicationStream? live;
        lock (_gate) live = _live;
        if (live is not null)
        {
            live.Close();
            return;
        }
        Dispose();
        try
        {
            Acknowledged();
        }
        catch (DbSyncException)
        {
            // The next life hears of a position that is older.
        }
    }

    public void RequestPosition()
    {
        ReplicationStream? live;
        lock (_gate) (live, _asked) = (_live, true);
        live?.RequestPosition();
    }

    public void Dispose()
    {
        ReplicationStream? live;
        lock (_gate) (live, _disposed) = (_live, true);
        if (live is not null) live.Dispose();
        else drain.Cut();
    }

    private IEnumerable<TransactionPart> ReadBacklog(PartPool pool, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested && Guarded(drain.NextEnd, cancellationToken) is { } end)
        {
            using var piece = Guarded(() => drain.Read(end), cancellationToken);
            var decode = decoder(pool);
            var rows = new BinaryCopy(1, fields => Decode(decode, SlotDrain.MessageOf(fields)));
            bool Fill() => TryFill(piece, rows);
            Func<bool> fill = Fill; // one for the piece, not one for each part
            while (!cancellationToken.IsCancellationRequested && Guarded(fill, cancellationToken))
                while (_ready.TryDequeue(out var part))
                    yield return part;
            if (cancellationToken.IsCancellationRequested) yield break;
            if (drain.Position < end)
            {
                drain.Passed(end); // what was committed up to there is whole, though nothing of it was published
                yield return pool.RentPosition(end, time.GetTimestamp());
            }
            pieceRead();
            Failpoint.Hit(Failpoint.AfterBacklogPiece);
            Guarded(Acknowledged, cancellationToken);
        }
    }

    private void Decode(PgOutputDecoder decode, ReadOnlySpan<byte> message)
    {
        if (decode.Decode(message) is not { } part) return;
        if (part.Ends) drain.Passed(part.EndLsn);
        _ready.Enqueue(part);
    }

    /// <summary>Reads until a part is ready; false at the end of the piece.</summary>
    private bool TryFill(CopyOut piece, BinaryCopy rows)
    {
        while (_ready.Count == 0)
        {
            if (!piece.TryRead(out var bytes))
            {
                rows.End();
                return false;
            }
            rows.Take(bytes);
        }
        return true;
    }

    private bool Acknowledged()
    {
        drain.Acknowledge(new Lsn(Volatile.Read(ref _durable)));
        return true;
    }

    /// <summary>Starts the walsender while the drain's lock still keeps others away.</summary>
    private ReplicationStream GoLive()
    {
        Failpoint.Hit(Failpoint.BeforeStream);
        var live = open(drain.Position, drain.ServerProcess);
        bool asked, disposed;
        ulong durable;
        lock (_gate) (_live, asked, disposed, durable) = (live, _asked, _disposed, _durable);
        Failpoint.Hit(Failpoint.AfterStream);
        drain.Dispose();
        if (durable > 0) live.Acknowledge(new Lsn(durable));
        if (asked) live.RequestPosition();
        if (disposed) live.Dispose();
        return live;
    }

    private T Guarded<T>(Func<T> action, CancellationToken cancellationToken)
    {
        try
        {
            return action();
        }
        catch (Exception exception) when (cancellationToken.IsCancellationRequested && exception is not OperationCanceledException)
        {
            throw new OperationCanceledException("The stream was closed.", exception, cancellationToken);
        }
        catch (Exception exception)
        {
            failed();
            if (PrimaryErrors.TryTranslate(exception) is { } translated)
                throw translated.Code == ErrorCodes.StatementRefused ? PrimaryErrors.Unreachable(exception) : translated; // the walsender goes on
            throw;
        }
    }
}
