using System.Buffers.Binary;
using System.Text;

namespace DbSync.Postgres;

/// <summary>
/// PostgreSQL's streaming replication protocol over an authenticated connection: one thread reads, any thread sends status.
/// Source: PostgreSQL manual, "Streaming Replication Protocol" and "Message Formats".
/// </summary>
internal sealed class ReplicationWire(Stream stream, TimeProvider time)
{
    private static readonly DateTimeOffset PostgresEpoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Lock _sending = new();
    private readonly byte[] _status = new byte[39];
    private readonly WireMessages _messages = new(stream);

    /// <summary>The server's own name for its cluster, as IDENTIFY_SYSTEM tells it.</summary>
    public string IdentifySystem()
    {
        _messages.Query("IDENTIFY_SYSTEM");
        var identifier = "";
        while (true)
        {
            switch (_messages.Next(out var body))
            {
                case (byte)'D':
                    var reader = new WireReader(body);
                    reader.Int16();
                    identifier = Encoding.UTF8.GetString(reader.Bytes(reader.Int32()));
                    break;
                case (byte)'E':
                    throw WireMessages.Failure(body);
                case (byte)'Z':
                    return identifier;
                default:
                    break; // the row's description, the command's tag, notices
            }
        }
    }

    /// <summary>Starts replication; returns once the server has agreed.</summary>
    /// <exception cref="DbSyncException">What the server answered instead.</exception>
    public void Start(string command)
    {
        _messages.Query(command);
        while (true)
        {
            switch (_messages.Next(out var body))
            {
                case (byte)'W':
                    return;
                case (byte)'E':
                    throw WireMessages.Failure(body);
                case (byte)'N' or (byte)'S':
                    continue;
                default:
                    throw WireReader.Malformed("an answer to START_REPLICATION of an unknown kind");
            }
        }
    }

    /// <summary>True when a whole message is here already, so that <see cref="Receive"/> won't block.</summary>
    public bool HasNext => _messages.HasNext;

    /// <summary>Blocks for the next replication message; the bytes are valid until the next call.</summary>
    /// <returns>The message's kind: <c>w</c> data, <c>k</c> keepalive; 0 when the server ended the stream.</returns>
    public byte Receive(out ReadOnlySpan<byte> body)
    {
        while (true)
        {
            switch (_messages.Next(out body))
            {
                case (byte)'d':
                    if (body.IsEmpty) throw WireReader.Malformed("an empty replication message");
                    var kind = body[0];
                    body = body[1..];
                    return kind;
                case (byte)'E':
                    throw WireMessages.Failure(body);
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
}
