using System.Buffers;
using System.Text.Json;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>bool: 0 or 1.</summary>
internal sealed class BooleanCodec() : TypeCodec(StorageClass.Integer)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target) => Decode(wire, (byte)'t', (byte)'f', target);

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target) => Decode(wire, 1, 0, target);

    public override string CanonicalSql(string quotedColumn) => $"({quotedColumn})::int4::text";

    public override void WriteJson(Cell cell, IBufferWriter<byte> target) => target.Write(cell.Integer != 0 ? "true"u8 : "false"u8);

    public override void ReadJson(ref Utf8JsonReader reader, ChangeBuffer target) => target.WriteInteger(reader.GetBoolean() ? 1 : 0);

    private static bool Decode(ReadOnlySpan<byte> wire, byte yes, byte no, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == 1 && (wire[0] == yes || wire[0] == no), "bool", wire);
        target.WriteInteger(wire[0] == yes ? 1 : 0);
        return true;
    }
}
