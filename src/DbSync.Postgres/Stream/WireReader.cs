using System.Buffers.Binary;
using System.Text;

namespace DbSync.Postgres;

/// <summary>Reads PostgreSQL's network-order fields from one message, never beyond its end.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>The bytes that are left.</summary>
    public readonly int Length => _rest.Length;

    /// <summary>A message that goes on after its last field is none that a server sends.</summary>
    public readonly void End()
    {
        if (!_rest.IsEmpty) throw Malformed("a message goes on after its end");
    }

    public byte Byte()
    {
        if (_rest.IsEmpty) throw Malformed("a message ends early");
        var value = _rest[0];
        _rest = _rest[1..];
        return value;
    }

    public short Int16() => BinaryPrimitives.ReadInt16BigEndian(Bytes(2));

    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Bytes(4));

    public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Bytes(4));

    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Bytes(8));

    public Lsn Lsn() => new(BinaryPrimitives.ReadUInt64BigEndian(Bytes(8)));

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if ((uint)count > (uint)_rest.Length) throw Malformed("a length reaches beyond the end of its message");
        var bytes = _rest[..count];
        _rest = _rest[count..];
        return bytes;
    }

    /// <summary>A string that ends with a zero byte.</summary>
    public string Text()
    {
        var end = _rest.IndexOf((byte)0);
        if (end < 0) throw Malformed("a name has no end");
        var text = Encoding.UTF8.GetString(_rest[..end]);
        _rest = _rest[(end + 1)..];
        return text;
    }

    public static DbSyncException Malformed(string what) => new(
        ErrorCodes.MalformedStream, $"The change log holds what no server sends: {what}.", "Nothing was applied; the stream starts again.");
}
