using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace DbSync.Locking;

/// <summary>Encoded bounds as people read them, for <c>dbsync locks list</c>; unknown bytes are shown in hexadecimal, never guessed.</summary>
internal static class RangeKeyText
{
    public static string Describe(KeyRange range)
    {
        var low = range.Low;
        var high = range.High;
        var open = low[^1] == RangeKeyEncoder.Before && low.Length > 1 ? "[" : "(";
        var close = high[^1] == RangeKeyEncoder.After && high.Length > 1 ? "]" : ")";
        return $"{open}{Bound(low, "-∞")}, {Bound(high, "+∞")}{close}";
    }

    public static string Low(KeyRange range) => Bound(range.Low, "-∞");

    public static string High(KeyRange range) => Bound(range.High, "+∞");

    private static string Bound(ReadOnlySpan<byte> bound, string whenUnbounded)
    {
        var key = bound[..^1];
        if (key.IsEmpty) return whenUnbounded;
        var parts = new List<string>();
        while (!key.IsEmpty)
        {
            var (text, length) = Part(key);
            parts.Add(text);
            key = key[length..];
        }

        return parts.Count == 1 ? parts[0] : $"({string.Join(", ", parts)})";
    }

    private static (string Text, int Length) Part(ReadOnlySpan<byte> key)
    {
        switch (key[0])
        {
            case RangeKeyEncoder.IntegerTag when key.Length >= 9:
                return (Signed(key).ToString(CultureInfo.InvariantCulture), 9);
            case RangeKeyEncoder.InstantTag when key.Length >= 9 && IsTicks(Signed(key)):
                return (new DateTime(Signed(key), DateTimeKind.Utc).ToString("O", CultureInfo.InvariantCulture), 9);
            case RangeKeyEncoder.WallClockTag when key.Length >= 9 && IsTicks(Signed(key)):
                return (new DateTime(Signed(key), DateTimeKind.Unspecified).ToString("O", CultureInfo.InvariantCulture), 9);
            case RangeKeyEncoder.UuidTag when key.Length >= 17:
                return (new Guid(key[1..17], bigEndian: true).ToString(), 17);
            case RangeKeyEncoder.TextTag or RangeKeyEncoder.BlobTag when EndOfString(key) is var end and > 0:
                var bytes = Unescape(key[1..end]);
                return (key[0] == RangeKeyEncoder.TextTag ? Quoted(bytes) : $"x'{Convert.ToHexString(bytes)}'", end + 2);
            case RangeKeyEncoder.NumberTag when NumberLength(key) is var length and > 0:
                return (Number(key[1..length]), length);
            default:
                return ($"0x{Convert.ToHexString(key)}", key.Length);
        }
    }

    // Control characters in a key must not draw on an operator's terminal (scenario S03).
    private static string Quoted(byte[] utf8)
    {
        var text = new StringBuilder("'");
        foreach (var rune in Encoding.UTF8.GetString(utf8).EnumerateRunes())
        {
            if (rune.Value == '\'') text.Append("''");
            else if (Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format) text.Append($"\\u{rune.Value:X4}");
            else text.Append(rune.ToString());
        }

        return text.Append('\'').ToString();
    }

    private static long Signed(ReadOnlySpan<byte> part) => (long)(BinaryPrimitives.ReadUInt64BigEndian(part[1..]) ^ (1UL << 63));

    private static bool IsTicks(long ticks) => ticks >= DateTime.MinValue.Ticks && ticks <= DateTime.MaxValue.Ticks;

    private static int EndOfString(ReadOnlySpan<byte> key)
    {
        for (var i = 1; i + 1 < key.Length; i++)
        {
            if (key[i] != 0) continue;
            if (key[i + 1] == 0x01) return i;
            i++; // an escaped zero
        }

        return -1;
    }

    private static byte[] Unescape(ReadOnlySpan<byte> bytes)
    {
        var plain = new List<byte>(bytes.Length);
        for (var i = 0; i < bytes.Length; i++)
        {
            plain.Add(bytes[i]);
            if (bytes[i] == 0) i++;
        }

        return [.. plain];
    }

    private static int NumberLength(ReadOnlySpan<byte> key)
    {
        if (key.Length >= 2 && key[1] == 0x02) return 2;
        if (key.Length < 4 || key[1] is not (0x01 or 0x03)) return -1;
        var end = key[3..].IndexOf(key[1] == 0x01 ? (byte)0xFF : (byte)0x00);
        return end < 0 ? -1 : end + 4;
    }

    private static string Number(ReadOnlySpan<byte> number)
    {
        if (number[0] == 0x02) return "0";
        var flip = number[0] == 0x01 ? (byte)0xFF : (byte)0x00;
        var exponent = (number[1] ^ flip) - 64;
        var digits = new StringBuilder();
        foreach (var pair in number[2..^1]) digits.Append(((pair ^ flip) - 1).ToString("00", CultureInfo.InvariantCulture));
        if (exponent > digits.Length) digits.Append('0', exponent - digits.Length);
        if (exponent <= 0) digits.Insert(0, "0", 1 - exponent);
        var point = Math.Max(exponent, 1);
        var fraction = digits.ToString(point, digits.Length - point).TrimEnd('0');
        return $"{(flip == 0 ? "" : "-")}{digits.ToString(0, point)}{(fraction.Length == 0 ? "" : "." + fraction)}";
    }
}
