using System.Buffers.Binary;
using System.Text;

namespace DbSync.Postgres;

/// <summary>
/// PostgreSQL's streaming replication protocol over an authenticated connection: one thread reads, any thread sends status.
/// Source: PostgreSQL manual, "Streaming Replication Protocol" and "Message Formats".
/// </summary>
internal sealed class ReplicationWire(Stream stream, TimeProvider time)
{
    private const int BufferBytes = 256 << 10;
    private const int HeaderBytes = 5;
    private static readonly DateTimeOffset PostgresEpoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Lock _sending = new();
    private readonly byte[] _status = new byte[39];
    private byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    private int _start;
    private int _end;

    /// <summary>Starts replication; returns once the server has agreed.</summary>
    /// <exception cref="DbSyncException">What the server answered instead.</exception>
    public void Start(string command)
    {
        var sql = Encoding.UTF8.GetBytes(command);
        var message = new byte[HeaderBytes + sql.Length + 1];
        message[0] = (byte)'Q';
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), message.Length - 1);
        sql.CopyTo(message, HeaderBytes);
        stream.Write(message);
        stream.Flush();
        while (true)
        {
            switch (Next(out var body))
            {
                case (byte)'W':
                    return;
                case (byte)'E':
                    throw Failure(body);
                case (byte)'N' or (byte)'S':
                    continue;
                default:
                    throw WireReader.Malformed("an answer to START_REPLICATION of an unknown kind");
            }
        }
    }

    /// <summary>True when a whole message is here already, so that <see cref="Receive"/> won't block.</summary>
    public bool HasNext =>
        _end - _start >= HeaderBytes
        && _end - _start > (long)BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(_start + 1));

    /// <summary>Blocks for the next replication message; the bytes are valid until the next call.</summary>
    /// <returns>The message's kind: <c>w</c> data, <c>k</c> keepalive; 0 when the server ended the stream.</returns>
    public byte Receive(out ReadOnlySpan<byte> body)
    {
        while (true)
        {
            switch (Next(out body))
            {
                case (byte)'d':
                    if (body.IsEmpty) throw WireReader.Malformed("an empty replication message");
                    var kind = body[0];
                    body = body[1..];
                    return kind;
                case (byte)'E':
                    throw Failure(body);
                case (byte)'N' or (byte)'S' or (byte)'A':
                    continue;
                case (byte)'c' or (byte)'C' or (byte)'Z':
                    return 0;
                default:
                    throw WireReader.Malformed("a protocol message of an unknown kind");
            }
        }
    }

    /// <summary>Tells the server what was received and what is durable here.</summary>
    public void SendStatus(Lsn received, Lsn durable, bool requestReply)
    {
        lock (_sending)
        {
            var span = _status.AsSpan();
            span[0] = (byte)'d';
            BinaryPrimitives.WriteInt32BigEndian(span[1..], span.Length - 1);
            span[5] = (byte)'r';
            BinaryPrimitives.WriteUInt64BigEndian(span[6..], Lsn.Max(received, durable).Value);
            BinaryPrimitives.WriteUInt64BigEndian(span[14..], durable.Value);
            BinaryPrimitives.WriteUInt64BigEndian(span[22..], durable.Value);
            BinaryPrimitives.WriteInt64BigEndian(span[30..], (time.GetUtcNow() - PostgresEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
            span[38] = requestReply ? (byte)1 : (byte)0;
            stream.Write(_status);
            stream.Flush();
        }
    }

    /// <summary>Ends the copy: the server answers it after all that was sent before.</summary>
    public void SendDone()
    {
        lock (_sending)
        {
            stream.Write([(byte)'c', 0, 0, 0, 4]);
            stream.Flush();
        }
    }

    private byte Next(out ReadOnlySpan<byte> body)
    {
        Fill(HeaderBytes);
        var length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start + 1));
        if (length < 4 || length > ChangeBuffer.CapacityBytesMax - 1) throw WireReader.Malformed("an impossible message length");
        Fill(1 + length);
        var kind = _buffer[_start];
        body = _buffer.AsSpan(_start + HeaderBytes, length - 4);
        _start += 1 + length;
        return kind;
    }

    /// <summary>Reads until so many bytes of the next message are here.</summary>
    private void Fill(int count)
    {
        if (_end - _start >= count) return;
        if (_start + count > _buffer.Length || _start == _end)
        {
            var target = _buffer;
            if (count > _buffer.Length) target = GC.AllocateUninitializedArray<byte>(count, pinned: true);
            else if (_buffer.Length > BufferBytes && count <= BufferBytes && _end - _start <= BufferBytes)
                target = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true); // a giant has passed
            _buffer.AsSpan(_start, _end - _start).CopyTo(target);
            (_buffer, _end, _start) = (target, _end - _start, 0);
        }
        while (_end - _start < count)
        {
            var read = stream.Read(_buffer, _end, _buffer.Length - _end);
            if (read == 0) throw PrimaryErrors.Unreachable(null);
            _end += read;
        }
    }

    private static DbSyncException Failure(ReadOnlySpan<byte> fields)
    {
        var reader = new WireReader(fields);
        string state = "XX000", message = "";
        while (!reader.IsAtEnd)
        {
            var field = reader.Byte();
            if (field == 0) break;
            var value = reader.Text();
            if (field == 'C') state = value;
            if (field == 'M') message = value;
        }
        return PrimaryErrors.Translate(state, message, null) is { Code: not ErrorCodes.StatementRefused } known ? known : new DbSyncException(
            ErrorCodes.PrimaryUnreachable, $"The primary ended the stream ({state}: {message}).", "DbSync keeps trying.");
    }
}
