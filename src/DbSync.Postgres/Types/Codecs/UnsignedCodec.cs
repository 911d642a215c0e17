using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>
/// oid, xid, cid and xid8. An xid8 above the largest long is stored in two's complement, as EF binds a ulong; it then sorts wrongly,
/// and its digits can't be kept as text because INTEGER affinity would turn them into a rounded real.
/// </summary>
internal sealed class UnsignedCodec(string type, int sizeBytes) : TypeCodec(StorageClass.Integer)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(Utf8Parser.TryParse(wire, out ulong value, out var consumed) && consumed == wire.Length, type, wire);
        return Store(value, target);
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == sizeBytes, type, wire);
        return Store(sizeBytes == 4 ? BinaryPrimitives.ReadUInt32BigEndian(wire) : BinaryPrimitives.ReadUInt64BigEndian(wire), target);
    }

    public override void WriteCanonical(Cell cell, IBufferWriter<byte> target)
    {
        if (cell.Kind != CellKind.Integer) return;
        Utf8Formatter.TryFormat((ulong)cell.Integer, target.GetSpan(20), out var written);
        target.Advance(written);
    }

    private static bool Store(ulong value, ChangeBuffer target)
    {
        target.WriteInteger((long)value);
        return value <= long.MaxValue;
    }
}
