using System.Buffers;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>bytea: the bytes. The text form is <c>\x</c> and hexadecimal digits.</summary>
internal sealed class ByteaCodec() : TypeCodec(StorageClass.Blob)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length >= 2 && wire.Length % 2 == 0 && wire.StartsWith("\\x"u8), "bytea", wire);
        var room = target.BeginCell(CellKind.Blob, (wire.Length - 2) / 2);
        var status = Convert.FromHexString(wire[2..], room, out _, out var written);
        MalformedValue.ThrowUnless(status == OperationStatus.Done, "bytea", wire);
        target.EndCell(written);
        return true;
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        target.WriteBlob(wire);
        return true;
    }

    // A hash, because the hexadecimal form of a large value is more than PostgreSQL's text can hold.
    public override string CanonicalSql(string quotedColumn) => $"encode(sha256({quotedColumn}), 'hex')";
}
