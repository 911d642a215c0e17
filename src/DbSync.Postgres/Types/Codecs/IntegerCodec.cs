using System.Buffers.Binary;
using System.Buffers.Text;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>int2, int4 and int8.</summary>
internal sealed class IntegerCodec(string type, int sizeBytes) : TypeCodec(StorageClass.Integer)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(Utf8Parser.TryParse(wire, out long value, out var consumed) && consumed == wire.Length, type, wire);
        target.WriteInteger(value);
        return true;
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == sizeBytes, type, wire);
        target.WriteInteger(sizeBytes switch
        {
            2 => BinaryPrimitives.ReadInt16BigEndian(wire),
            4 => BinaryPrimitives.ReadInt32BigEndian(wire),
            _ => BinaryPrimitives.ReadInt64BigEndian(wire),
        });
        return true;
    }
}
