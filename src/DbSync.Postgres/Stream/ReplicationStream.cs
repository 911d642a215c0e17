using Npgsql;

namespace DbSync.Postgres;

/// <summary>The walsender's stream of one slot, as parts of transactions.</summary>
internal sealed class ReplicationStream : IChangeStream
{
    private readonly NpgsqlConnection _connection;
    private readonly Stream _bytes;
    private readonly ReplicationWire _wire;
    private readonly IRelationResolver _resolver;
    private readonly PrimaryOptions _options;
    private readonly TimeProvider _time;
    private readonly StreamedTransactions? _streamed;
    private readonly ITimer _statusTimer;
    private ulong _received;
    private ulong _durable;
    private ulong _primary;
    private long _heardAt;
    private bool _listening;
    private int _disposed;

    public ReplicationStream(
        NpgsqlConnection connection, Stream bytes, ReplicationWire wire, Lsn position, IRelationResolver resolver,
        PrimaryOptions options, TimeProvider time, StreamedTransactions? streamed)
    {
        (_connection, _bytes, _wire, _resolver, _options, _time, _streamed) = (connection, bytes, wire, resolver, options, time, streamed);
        _received = _primary = position.Value;
        _durable = 0; // what an earlier life committed may not be on disk: nothing is confirmed before this life's first barrier
        _heardAt = time.GetTimestamp();
        _statusTimer = time.CreateTimer(_ => Tell(), null, options.StatusInterval, options.StatusInterval);
    }

    public Lsn PrimaryPosition => new(Volatile.Read(ref _primary));

    public bool HasMore => _wire.HasNextChange;

    public IEnumerable<TransactionPart> Read(PartPool pool, CancellationToken cancellationToken)
    {
        using var decoder = new PgOutputDecoder(_resolver, pool, _options.PartBytesMax, _time, _streamed);
        var told = Lsn.Zero;
        while (!cancellationToken.IsCancellationRequested)
        {
            if (!TryReceive(decoder, cancellationToken, out var part, out var position)) yield break;
            if (part is not null)
            {
                if (part.Ends) told = part.EndLsn;
                yield return part;
            }
            else if (decoder.HasReplay)
            {
                while (decoder.HasReplay && !cancellationToken.IsCancellationRequested)
                {
                    part = decoder.Replay();
                    if (part.Ends) Raise(ref _received, told = part.EndLsn);
                    yield return part;
                }
            }
            else if (position > told && !decoder.IsInside && !_wire.HasNext)
            {
                told = position;
                yield return pool.RentPosition(position, _time.GetTimestamp());
            }
        }
    }

    public void Acknowledge(Lsn durable)
    {
        Volatile.Write(ref _durable, durable.Value);
        Send(requestReply: false);
    }

    public void Close()
    {
        _statusTimer.Dispose(); // after the end of the copy the server takes no status any more
        try
        {
            _wire.SendDone();
            while (_wire.Receive(out _) != 0) // what the server had sent before it read that
            {
            }
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is not null || exception is DbSyncException)
        {
            // Gone already: the next life hears of a position that is older.
        }
        Dispose();
    }

    public void RequestPosition() => Send(requestReply: true);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        _statusTimer.Dispose();
        try
        {
            _bytes.Dispose(); // wakes a reader that blocks
        }
        catch (IOException)
        {
            // TLS could not say goodbye on a connection that is gone already.
        }
        _ = Task.Run(CloseConnection);
    }

    /// <summary>Receives and decodes one message; false at the end of the stream.</summary>
    private bool TryReceive(PgOutputDecoder decoder, CancellationToken cancellationToken, out TransactionPart? part, out Lsn position)
    {
        (part, position) = (null, Lsn.Zero);
        try
        {
            Volatile.Write(ref _heardAt, _time.GetTimestamp());
            Volatile.Write(ref _listening, true); // while the queues hold us back, silence is ours
            var kind = _wire.Receive(out var body);
            Volatile.Write(ref _listening, false);
            var reader = new WireReader(body);
            switch (kind)
            {
                case (byte)'w':
                    reader.Bytes(8);
                    Raise(ref _primary, reader.Lsn());
                    part = decoder.Decode(body[24..]);
                    if (part is { Ends: true }) Raise(ref _received, part.EndLsn);
                    return true;
                case (byte)'k':
                    var end = reader.Lsn();
                    reader.Bytes(8);
                    Raise(ref _primary, end);
                    if (!decoder.IsInside)
                    {
                        position = end;
                        Raise(ref _received, end);
                    }
                    if (reader.Byte() != 0) Send(requestReply: false);
                    return true;
                case 0:
                    throw PrimaryErrors.Unreachable(null);
                default:
                    throw WireReader.Malformed("a replication message of an unknown kind");
            }
        }
        catch (Exception exception) when (cancellationToken.IsCancellationRequested && exception is IOException or ObjectDisposedException or DbSyncException)
        {
            return false;
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is { } translated)
        {
            throw translated;
        }
    }

    /// <summary>Tells the server regularly that we live, and gives up a connection that has been silent too long.</summary>
    private void Tell()
    {
        var silent = Volatile.Read(ref _listening) ? _time.GetElapsedTime(Volatile.Read(ref _heardAt)) : TimeSpan.Zero;
        if (silent > _options.SilenceMax) Dispose();
        else Send(requestReply: silent > _options.StatusInterval / 2);
    }

    private void Send(bool requestReply)
    {
        if (Volatile.Read(ref _disposed) != 0) return;
        try
        {
            _wire.SendStatus(new Lsn(Volatile.Read(ref _received)), new Lsn(Volatile.Read(ref _durable)), requestReply);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The reader meets the same end and reports it.
        }
    }

    private void CloseConnection()
    {
        try
        {
            _connection.Dispose();
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is not null)
        {
            // The connection was closed under the driver, on purpose.
        }
    }

    private static void Raise(ref ulong field, Lsn value)
    {
        if (value.Value > Volatile.Read(ref field)) Volatile.Write(ref field, value.Value);
    }
}
