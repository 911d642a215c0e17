using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace DbSync.Locking;

/// <summary>
/// The byte form of one part of a key: a tag, then bytes that are in the order of the values and never a prefix of one another.
/// Tags stay clear of <see cref="Before"/> and <see cref="After"/>, which end a bound: so bounds are prefix-free too, and a script
/// may append an id to one without changing any comparison.
/// </summary>
internal static class RangeKeyEncoder
{
    /// <summary>Ends a bound that lies just before a key and everything that begins with it.</summary>
    public const byte Before = 0x00;

    /// <summary>Ends a bound that lies just after a key and everything that begins with it.</summary>
    public const byte After = 0xFF;

    internal const byte IntegerTag = 0x10;
    internal const byte NumberTag = 0x18;
    internal const byte UuidTag = 0x20;
    internal const byte TextTag = 0x28;
    internal const byte BlobTag = 0x30;
    internal const byte InstantTag = 0x38;
    internal const byte WallClockTag = 0x3A;

    private const byte Escape = 0x00;
    private const byte EscapedZero = 0xFF;
    private const byte EndOfString = 0x01;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static byte[] Integer(long value) => Signed(IntegerTag, value);

    public static byte[] Uuid(Guid value)
    {
        var bytes = new byte[17];
        bytes[0] = UuidTag;
        value.TryWriteBytes(bytes.AsSpan(1), bigEndian: true, out _);
        return bytes;
    }

    public static byte[] Time(DateTime value) => value.Kind == DateTimeKind.Unspecified
        ? Signed(WallClockTag, value.Ticks)
        : Signed(InstantTag, value.ToUniversalTime().Ticks);

    public static byte[] Blob(ReadOnlySpan<byte> value) => Escaped(BlobTag, value);

    public static byte[] Text(string value)
    {
        try
        {
            return Escaped(TextTag, Strict.GetBytes(value));
        }
        catch (EncoderFallbackException)
        {
            throw new DbSyncException(ErrorCodes.InvalidLockRange, "A text key holds half of a surrogate pair, which has no UTF-8 form.",
                "Lock a valid text, or its bytes.");
        }
    }

    /// <summary>Sign, decimal exponent, then pairs of digits without trailing zeros; everything inverted below zero.</summary>
    public static byte[] Number(decimal value)
    {
        if (value == 0) return [NumberTag, 0x02];
        Span<int> parts = stackalloc int[4];
        decimal.GetBits(value, parts);
        var scale = (parts[3] >> 16) & 0xFF;
        var digits = (((BigInteger)(uint)parts[2] << 64) | ((BigInteger)(uint)parts[1] << 32) | (uint)parts[0]).ToString();
        var exponent = digits.Length - scale; // value = 0.digits * 10^exponent, and digits doesn't begin with 0
        digits = digits.TrimEnd('0');
        if (digits.Length % 2 == 1) digits += "0";

        var bytes = new List<byte> { NumberTag, value < 0 ? (byte)0x01 : (byte)0x03 };
        var flip = value < 0 ? (byte)0xFF : (byte)0x00;
        bytes.Add((byte)((exponent + 64) ^ flip));
        for (var i = 0; i < digits.Length; i += 2)
            bytes.Add((byte)((((digits[i] - '0') * 10) + digits[i + 1] - '0' + 1) ^ flip));
        bytes.Add(flip);
        return [.. bytes];
    }

    private static byte[] Signed(byte tag, long value)
    {
        var bytes = new byte[9];
        bytes[0] = tag;
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(1), (ulong)value ^ (1UL << 63));
        return bytes;
    }

    private static byte[] Escaped(byte tag, ReadOnlySpan<byte> value)
    {
        var bytes = new List<byte>(value.Length + 3) { tag };
        foreach (var b in value)
        {
            bytes.Add(b);
            if (b == Escape) bytes.Add(EscapedZero);
        }

        bytes.Add(Escape);
        bytes.Add(EndOfString);
        return [.. bytes];
    }
}
