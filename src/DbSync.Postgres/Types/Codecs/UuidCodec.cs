using System.Buffers;
using System.Text;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>uuid: upper case with hyphens, which EF binds and which sorts as PostgreSQL sorts.</summary>
internal sealed class UuidCodec() : TypeCodec(StorageClass.Text)
{
    private const int TextBytes = 36;

    private static readonly SearchValues<byte> Characters = SearchValues.Create("0123456789ABCDEF-"u8);

    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == TextBytes, "uuid", wire);
        var text = target.BeginCell(CellKind.Text, TextBytes);
        Ascii.ToUpper(wire, text, out var written);
        var wellFormed = written == TextBytes
            && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-'
            && text.Count((byte)'-') == 4
            && !text.ContainsAnyExcept(Characters);
        MalformedValue.ThrowUnless(wellFormed, "uuid", wire);
        target.EndCell(TextBytes);
        return true;
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == 16, "uuid", wire);
        Span<byte> digits = stackalloc byte[32];
        Convert.TryToHexString(wire, digits, out _);
        var text = target.BeginCell(CellKind.Text, TextBytes);
        digits[..8].CopyTo(text);
        digits[8..12].CopyTo(text[9..]);
        digits[12..16].CopyTo(text[14..]);
        digits[16..20].CopyTo(text[19..]);
        digits[20..].CopyTo(text[24..]);
        text[8] = text[13] = text[18] = text[23] = (byte)'-';
        target.EndCell(TextBytes);
        return true;
    }

    public override string CanonicalSql(string quotedColumn) => $"upper(({quotedColumn})::text)";
}
