using System.Buffers;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>text, varchar, name, json, citext and the labels of enums: UTF-8 as it is, in both wire forms.</summary>
internal sealed class TextCodec(string? collation = null) : TypeCodec(StorageClass.Text, collation)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        target.WriteText(wire);
        return true;
    }
}

/// <summary>char(n): stored with its padding, compared without. A cast to text drops the padding, so the canonical form does too.</summary>
internal sealed class BlankPaddedCodec() : TypeCodec(StorageClass.Text, CollationNames.TrailingBlanks)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        target.WriteText(wire);
        return true;
    }

    public override void WriteCanonical(Cell cell, IBufferWriter<byte> target)
    {
        if (cell.Kind == CellKind.Text) target.Write(cell.Bytes.TrimEnd((byte)' '));
    }
}

/// <summary>jsonb: its text; the send format puts a version byte before it.</summary>
internal sealed class JsonbCodec() : TypeCodec(StorageClass.Text)
{
    private const byte Version = 1;

    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        target.WriteText(wire);
        return true;
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length > 1 && wire[0] == Version, "jsonb", wire);
        target.WriteText(wire[1..]);
        return true;
    }
}

/// <summary>"char": one character. Its zero byte prints as the empty string, which no .NET char is.</summary>
internal sealed class SingleCharCodec() : TypeCodec(StorageClass.Text)
{
    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        target.WriteText(wire);
        return wire.Length == 1;
    }
}

/// <summary>Any type by the text that its output function prints.</summary>
internal sealed class OutputTextCodec(string? primaryOnlyReason = null) : TypeCodec(StorageClass.Text, null, primaryOnlyReason)
{
    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        target.WriteText(wire);
        return true;
    }

    public override string CanonicalSql(string quotedColumn) => OutputText(quotedColumn);
}
