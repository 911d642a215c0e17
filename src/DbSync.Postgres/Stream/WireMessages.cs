using System.Buffers.Binary;
using System.Text;

namespace DbSync.Postgres;

/// <summary>
/// Frames PostgreSQL's protocol messages out of the bytes of an authenticated connection, many of them for one read.
/// Source: PostgreSQL manual, "Message Formats".
/// </summary>
internal sealed class WireMessages(Stream stream)
{
    private const int BufferBytes = 256 << 10;
    private const int HeaderBytes = 5;

    private byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    private int _start;
    private int _end;

    /// <summary>True when a whole message is here already, so that <see cref="Next"/> won't block.</summary>
    public bool HasNext => IsWhole(_start);

    /// <summary>True when a whole message is here already that does not begin so.</summary>
    public bool HasOtherThan(byte kind, byte first)
    {
        for (var at = _start; IsWhole(at); at += 1 + (int)BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(at + 1)))
            if (_buffer[at] != kind || at + HeaderBytes >= _end || _buffer[at + HeaderBytes] != first) return true;
        return false;
    }

    /// <summary>Sends a simple query.</summary>
    public void Query(string sql)
    {
        var text = Encoding.UTF8.GetBytes(sql);
        var message = new byte[HeaderBytes + text.Length + 1];
        message[0] = (byte)'Q';
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), message.Length - 1);
        text.CopyTo(message, HeaderBytes);
        stream.Write(message);
        stream.Flush();
    }

    /// <summary>Blocks for the next message; its bytes are valid until the next call.</summary>
    /// <returns>The message's kind.</returns>
    /// <exception cref="DbSyncException">DBS2001 when the server has closed the connection.</exception>
    public byte Next(out ReadOnlySpan<byte> body)
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

    /// <summary>What an error message says, as DbSync's error.</summary>
    public static DbSyncException Failure(ReadOnlySpan<byte> fields)
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

    private bool IsWhole(int at) => _end - at >= HeaderBytes && _end - at > (long)BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(at + 1));

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
}
