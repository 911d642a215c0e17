using System.Buffers.Binary;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>
/// numeric: PostgreSQL's text with its scale, ordered by EF_DECIMAL. NaN, infinities and what a .NET decimal can't hold exactly are kept
/// all the same, but not readable through EF.
/// </summary>
internal sealed class NumericCodec() : TypeCodec(StorageClass.Text, CollationNames.Decimal)
{
    private const int HeaderBytes = 8;
    private const int DigitsPerGroup = 4;
    private const int DecimalScaleMax = 28;
    private const ushort Negative = 0x4000;
    private const ushort NotANumber = 0xC000;
    private const ushort PositiveInfinity = 0xD000;
    private const ushort NegativeInfinity = 0xF000;
    private const int ScaleMask = 0x3FFF;

    public override bool HasBinary => true;

    private static ReadOnlySpan<byte> LargestDecimal => "79228162514264337593543950335"u8;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        var digits = wire.StartsWith("-"u8) ? wire[1..] : wire;
        var isNumber = TryFit(digits, out var fits);
        MalformedValue.ThrowUnless(
            isNumber || wire.SequenceEqual("NaN"u8) || digits.SequenceEqual("Infinity"u8), "numeric", wire);
        target.WriteText(wire);
        return isNumber && fits;
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length >= HeaderBytes, "numeric", wire);
        int groups = BinaryPrimitives.ReadUInt16BigEndian(wire);
        int weight = BinaryPrimitives.ReadInt16BigEndian(wire[2..]);
        var sign = BinaryPrimitives.ReadUInt16BigEndian(wire[4..]);
        int scale = BinaryPrimitives.ReadUInt16BigEndian(wire[6..]);
        if (sign is NotANumber or PositiveInfinity or NegativeInfinity)
        {
            target.WriteText(sign == NotANumber ? "NaN"u8 : sign == PositiveInfinity ? "Infinity"u8 : "-Infinity"u8);
            return false;
        }
        MalformedValue.ThrowUnless(
            wire.Length == HeaderBytes + 2 * groups && sign is 0 or Negative && scale <= ScaleMask, "numeric", wire);
        // A few bytes may stand for 10^131071; the room is bounded by the header's 15-bit weight and 14-bit scale.
        var room = 2 + DigitsPerGroup * (Math.Max(weight, 0) + 1) + 1 + scale + DigitsPerGroup;
        var text = target.BeginCell(CellKind.Text, room);
        var length = Write(wire, groups, weight, sign == Negative, scale, text);
        target.EndCell(length);
        if (DigitsPerGroup * (Math.Max(weight, -1) + 1) + scale <= DecimalScaleMax) return true; // too short not to fit
        return TryFit(text[(sign == Negative ? 1 : 0)..length], out var fits) && fits;
    }

    /// <summary>
    /// Prints base-10000 groups as PostgreSQL's get_str_from_var does: missing groups are zeros, the scale cuts or fills.
    /// </summary>
    private static int Write(ReadOnlySpan<byte> wire, int groups, int weight, bool negative, int scale, Span<byte> text)
    {
        var length = 0;
        if (negative) text[length++] = (byte)'-';
        var first = length;
        for (var i = 0; i <= weight; i++) length = WriteGroup(text, length, Group(wire, i, groups), skipZeros: length == first);
        if (length == first) text[length++] = (byte)'0';
        if (scale == 0) return length;
        text[length++] = (byte)'.';
        var end = length + scale;
        for (var i = weight + 1; length < end; i++) length = WriteGroup(text, length, Group(wire, i, groups), skipZeros: false);
        return end;
    }

    private static int Group(ReadOnlySpan<byte> wire, int index, int groups)
    {
        if ((uint)index >= (uint)groups) return 0;
        int group = BinaryPrimitives.ReadUInt16BigEndian(wire[(HeaderBytes + 2 * index)..]);
        MalformedValue.ThrowUnless(group <= 9999, "numeric", wire);
        return group;
    }

    private static int WriteGroup(Span<byte> text, int length, int group, bool skipZeros)
    {
        if (skipZeros && group < 1000)
        {
            if (group == 0) return length;
            if (group >= 100) text[length++] = (byte)('0' + group / 100);
            if (group >= 10) text[length++] = (byte)('0' + group / 10 % 10);
            text[length++] = (byte)('0' + group % 10);
            return length;
        }
        PostgresClock.WriteTwoDigits(text, length, group / 100);
        PostgresClock.WriteTwoDigits(text, length + 2, group % 100);
        return length + DigitsPerGroup;
    }

    /// <summary>False unless the text is digits with at most one point between; then, whether a decimal holds it with its scale.</summary>
    private static bool TryFit(ReadOnlySpan<byte> digits, out bool fits)
    {
        fits = false;
        var point = -1;
        for (var i = 0; i < digits.Length; i++)
        {
            if ((uint)(digits[i] - '0') <= 9) continue;
            if (digits[i] != '.' || point >= 0) return false;
            point = i;
        }
        if (digits.IsEmpty || point == 0 || point == digits.Length - 1) return false;

        var scale = point < 0 ? 0 : digits.Length - point - 1;
        var leading = digits.IndexOfAnyExcept("0."u8);
        if (leading < 0)
        {
            fits = scale <= DecimalScaleMax;
            return true;
        }
        var significant = digits.Length - leading - (point > leading ? 1 : 0);
        fits = scale <= DecimalScaleMax
            && (significant < LargestDecimal.Length
                || significant == LargestDecimal.Length && Compare(digits[leading..], point - leading) <= 0);
        return true;
    }

    private static int Compare(ReadOnlySpan<byte> digits, int point)
    {
        if (point < 0) return digits.SequenceCompareTo(LargestDecimal);
        var whole = digits[..point].SequenceCompareTo(LargestDecimal[..point]);
        return whole != 0 ? whole : digits[(point + 1)..].SequenceCompareTo(LargestDecimal[point..]);
    }
}
