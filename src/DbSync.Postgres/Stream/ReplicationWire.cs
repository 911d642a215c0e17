using System.Buffers.Binary;
using System.Globalization;
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

    /// <summary>The server's own name for its cluster, and its timeline.</summary>
    public (string SystemIdentifier, uint Timeline) IdentifySystem()
    {
        var row = QueryRow("IDENTIFY_SYSTEM");
        return (row[0], uint.Parse(row[1], CultureInfo.InvariantCulture));
    }

    /// <summary>The history of a timeline: which others it comes from, and where it left them.</summary>
    public string TimelineHistory(uint timeline) => QueryRow(string.Create(CultureInfo.InvariantCulture, $"TIMELINE_HISTORY {timeline}"))[1];

    /// <summary>Runs a command that answers with one row of texts; NULL is empty.</summary>
    private List<string> QueryRow(string command)
    {
        _messages.Query(command);
        var row = new List<string>();
        DbSyncException? failure = null;
        while (true)
        {
            switch (_messages.Next(out var body))
            {
                case (byte)'D':
                    var reader = new WireReader(body);
                    for (var columns = reader.Int16(); columns > 0; columns--)
                        row.Add(reader.Int32() is >= 0 and var length ? Encoding.UTF8.GetString(reader.Bytes(length)) : "");
                    break;
                case (byte)'E':
                    failure = WireMessages.Failure(body);
                    break;
                case (byte)'Z':
                    return failure is null && row.Count >= 2 ? row : throw failure ?? WireReader.Malformed("an answer without a row");
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

    /// <summary>The same for a message that is not only a keepalive, of which the server sends one whenever it has caught up.</summary>
    public bool HasNextChange => _messages.HasOtherThan((byte)'d', (byte)'k');

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
